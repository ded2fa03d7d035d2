import type { Grant } from '../../src/domain/grants.js'
import { usernameOrEmailIdentifier } from '../../src/domain/identifiers.js'
import type { DialectName, Origin } from '../../src/domain/model.js'
import type { TestApp } from './app.js'

export const testOrigin: Origin = { ip: '127.0.0.1', userAgent: null, requestId: null }

/** A session, for tests of what comes after the login: by password, straight through the domain. */
export const logIn = (node: TestApp, name: string, password: string, dialect: DialectName = 'bearer'): Promise<Grant> =>
  node.app.identity.login({
    dialect: node.app.dialectPolicies[dialect],
    identifier: usernameOrEmailIdentifier(name),
    factor: 'password',
    secret: password,
    otp: null,
    origin: testOrigin,
    refreshCookies: [],
    replaces: null,
  })

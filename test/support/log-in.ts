import type { Grant } from '../../src/domain/grants.js'
import { usernameOrEmailIdentifier } from '../../src/domain/identifiers.js'
import type { DialectName, Origin } from '../../src/domain/model.js'
import type { TestApp } from './app.js'

export const testOrigin: Origin = { ip: '127.0.0.1', userAgent: null, requestId: null }

/** A session, for tests of what comes after the login, straight through the domain: by PIN in `pin`, else by password. */
export const logIn = (node: TestApp, name: string, secret: string, dialect: DialectName = 'bearer'): Promise<Grant> =>
  node.app.identity.login({
    dialect: node.app.dialectPolicies[dialect],
    identifier: usernameOrEmailIdentifier(name),
    factor: dialect === 'pin' ? 'pin' : 'password',
    secret,
    otp: null,
    origin: testOrigin,
    refreshCookies: [],
    replaces: null,
  })

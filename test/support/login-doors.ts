import type { DialectName } from '../../src/domain/model.js'
import type { TestApp } from './app.js'
import { call, type Answer, type Call } from './auth-client.js'
import type { Person } from './dialect-clients.js'

/** Where and how each dialect takes a login, and how it refuses the credentials. */
export interface LoginDoor {
  readonly path: string
  readonly identifier: 'name' | 'email' | 'username'
  readonly secret: 'pin' | 'password'
  /** **C** */
  readonly refusal: readonly [status: number, text: string]
}

export const loginDoors: Readonly<Record<DialectName, LoginDoor>> = {
  pin: { path: '/auth/login', identifier: 'name', secret: 'pin', refusal: [401, '{"message":"Invalid credentials"}'] },
  directus: {
    path: '/auth/login',
    identifier: 'email',
    secret: 'password',
    refusal: [401, '{"errors":[{"message":"Invalid user credentials.","extensions":{"code":"INVALID_CREDENTIALS"}}]}'],
  },
  bearer: { path: '/api/v1/auth/login', identifier: 'username', secret: 'password', refusal: [401, '{"error":"Invalid credentials"}'] },
  tokenset: {
    path: '/v1/auth',
    identifier: 'username',
    secret: 'password',
    refusal: [400, '{"statusCode":400,"statusMessage":"Login failed","error":"Incorrect username or password."}'],
  },
}

/** What this person types there. */
export const goodBody = (dialect: DialectName, person: Person): Record<string, string> => {
  const { identifier, secret } = loginDoors[dialect]
  return { [identifier]: identifier === 'email' ? person.email : person.username, [secret]: person[secret] }
}

/** Any body at all, as it stands. */
export const knock = (node: Pick<TestApp, 'url'>, dialect: DialectName, body: unknown, headers: Call['headers'] = {}): Promise<Answer> =>
  call(node, loginDoors[dialect].path, { body, headers })

/** Everything that tells one answer from another, apart from what differs in any two. */
export const visible = ({ status, text, headers }: Answer): unknown => ({ status, text, headers: [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name)) })

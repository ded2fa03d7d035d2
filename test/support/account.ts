import { TOTP, Secret } from 'otpauth'
import { createApiKey } from '../../src/domain/api-keys.js'
import type { Grant } from '../../src/domain/grants.js'
import { usernameIdentifier } from '../../src/domain/identifiers.js'
import type { DialectName } from '../../src/domain/model.js'
import type { TestApp } from './app.js'
import { noteTokensIn } from './canaries.js'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** null when there is none, or it is no JSON. */
  readonly body: unknown
  readonly text: string
}

export interface Call {
  readonly method?: string
  readonly path: string
  /** An object becomes JSON; a string is sent as it is. */
  readonly body?: unknown
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

export async function send(node: TestApp, { method = 'GET', path, body, token, headers = {} }: Call): Promise<Answer> {
  const response = await fetch(`${node.url}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  noteTokensIn([text, token ?? '', ...Object.values(headers)].join('\n'))
  const isJson = /[/+]json\b/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, text, body: isJson && text !== '' ? JSON.parse(text) : null }
}

export const password = 'correct horse battery staple'

export interface LoginOptions {
  readonly dialect?: DialectName
  readonly password?: string
  readonly otp?: string
  readonly ip?: string
  readonly userAgent?: string
}

/** A login without HTTP: what is tested here comes after it. */
export const logIn = (node: TestApp, username: string, options: LoginOptions = {}): Promise<Grant> =>
  node.app.identity.login({
    dialect: node.app.dialectPolicies[options.dialect ?? 'directus'],
    identifier: usernameIdentifier(username),
    factor: 'password',
    secret: options.password ?? password,
    otp: options.otp ?? null,
    origin: { ip: options.ip ?? '127.0.0.1', userAgent: options.userAgent ?? null, requestId: null },
    refreshCookies: [],
    replaces: null,
  })

export interface Person {
  readonly id: string
  readonly username: string
  readonly token: string
  readonly grant: Grant
}

let people = 0

/** A user of their own for a test, logged in. */
export async function somebody(node: TestApp, options: LoginOptions & { pin?: string } = {}): Promise<Person> {
  people += 1
  const username = `person.${people}`
  const user = await node.createUser({ username, email: `${username}@example.com`, password, pin: options.pin ?? null })
  const grant = await logIn(node, username, options)
  return { id: user.id, username, token: grant.accessToken, grant }
}

export const refresh = (node: TestApp, grant: Grant): Promise<Grant> =>
  node.app.identity.refresh({
    dialect: node.app.dialectPolicies[grant.state.session.dialect],
    token: grant.refreshToken,
    origin: { ip: '127.0.0.1', userAgent: null, requestId: null },
  })

export async function newApiKey(node: TestApp, userId: string, scopes: readonly string[] | null = null): Promise<string> {
  const { secret } = await createApiKey(node.core.service, userId, { name: 'test', scopes, expiresAt: null }, { origin: null })
  return secret
}

/** What the authenticator shows. @param steps how many periods of 30 seconds ahead */
export const codeOf = (node: TestApp, secret: string, steps = 0): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: node.clock.now().getTime() + steps * 30_000 })

export const failure = (code: string, message: string, reason?: string) => ({
  errors: [{ message, extensions: { code, ...(reason === undefined ? {} : { reason }) } }],
})

export const invalidCredentials = failure('INVALID_CREDENTIALS', 'Invalid user credentials.')
export const invalidOtp = failure('INVALID_OTP', 'Invalid user OTP.')
export const invalidToken = failure('INVALID_TOKEN', 'Invalid token.')
export const tokenExpired = failure('TOKEN_EXPIRED', 'Token expired.')
export const forbidden = failure('FORBIDDEN', "You don't have permission to access this.")
export const invalidPayload = (reason: string) => failure('INVALID_PAYLOAD', `Invalid payload. ${reason}.`, reason)

/** Every call of the account, with a body that is good in form. */
export const calls: readonly Call[] = [
  { path: '/users/me' },
  { method: 'POST', path: '/users/me/password', body: { current: 'one', new: 'another one' } },
  { method: 'POST', path: '/users/me/pin', body: { password: 'one', pin: '1234' } },
  { method: 'POST', path: '/users/me/tfa/generate', body: { password: 'one' } },
  { method: 'POST', path: '/users/me/tfa/enable', body: { secret: 'A'.repeat(32), otp: '123456' } },
  { method: 'POST', path: '/users/me/tfa/disable', body: { otp: '123456' } },
  { path: '/users/me/sessions' },
  { method: 'DELETE', path: '/users/me/sessions/01890000-0000-7000-8000-000000000000' },
  { method: 'DELETE', path: '/users/me/sessions' },
]

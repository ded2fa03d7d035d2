import { randomBytes } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import { base32 } from '../../src/domain/totp.js'
import type { TestApp } from './app.js'
import { noteSecret, noteTokensIn } from './canaries.js'

export interface SetCookie {
  readonly value: string
  /** As the header names them; a flag such as `HttpOnly` is true. */
  readonly attributes: Readonly<Record<string, string | true>>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** undefined when there is no body. */
  readonly json: unknown
  readonly cookies: Readonly<Record<string, SetCookie>>
}

export interface Call {
  readonly method?: string
  /** A string and bytes are sent as they are, whatever else there is as JSON; undefined is no body. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends what it is told and keeps nothing. */
export async function call(node: Pick<TestApp, 'url'>, path: string, { method = 'POST', body, headers = {} }: Call = {}): Promise<Answer> {
  const response = await fetch(`${node.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  noteTokensIn([text, ...response.headers.getSetCookie(), ...Object.values(headers)].join('\n'))
  return { status: response.status, headers: response.headers, text, json: parsed(text), cookies: parseSetCookies(response.headers.getSetCookie()) }
}

const parsed = (text: string): unknown => (text === '' ? undefined : JSON.parse(text))

/** @throws when a name appears twice: a client would keep only one of them */
export function parseSetCookies(headers: readonly string[]): Record<string, SetCookie> {
  const cookies: Record<string, SetCookie> = {}
  for (const header of headers) {
    const [pair = '', ...attributes] = header.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    if (name in cookies) throw new Error(`two Set-Cookie headers for ${name}`)
    cookies[name] = { value: pair.slice(name.length + 1), attributes: Object.fromEntries(attributes.map(attribute)) }
  }
  return cookies
}

function attribute(text: string): [string, string | true] {
  const [name = '', value] = text.split('=', 2)
  return [name, value ?? true]
}

/** The `Cookie` header of a client that holds what these answers set. */
export const cookieHeader = (...cookies: Readonly<Record<string, SetCookie>>[]): string =>
  Object.entries(Object.assign({}, ...cookies) as Record<string, SetCookie>)
    .map(([name, { value }]) => `${name}=${value}`)
    .join('; ')

/** A fetch that keeps cookies as a browser does: by name, deleted by `Max-Age=0`. */
export function fetchWithCookies(): typeof fetch {
  const jar = new Map<string, string>()
  return async (input, init) => {
    const headers = new Headers(init?.headers)
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const response = await fetch(input, { ...init, headers })
    for (const [name, { value, attributes }] of Object.entries(parseSetCookies(response.headers.getSetCookie()))) {
      if (attributes['Max-Age'] === '0') jar.delete(name)
      else jar.set(name, value)
    }
    return response
  }
}

/** The members of a JWT's payload, unverified. */
export const claimsOf = (token: string): Record<string, unknown> => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>

/** @returns what the user's authenticator shows, that many periods of 30 seconds ahead */
export async function enableTotp(node: TestApp, userId: string): Promise<(periodsAhead?: number) => string> {
  const { repository, keyring } = node.core.service
  const secret = randomBytes(20)
  noteSecret('TOTP secret', base32(secret))
  await repository.credentials.enableTotp(userId, keyring.seal('totp', secret, userId), 0, [])
  const totp = new TOTP({ secret: Secret.fromHex(secret.toString('hex')) })
  return (periodsAhead = 0) => totp.generate({ timestamp: node.clock.now().getTime() + periodsAhead * 30_000 })
}

/** Everything that a request could have changed: equal before and after means that nothing did. */
export async function footprint({ core }: Pick<TestApp, 'core'>): Promise<string> {
  const { rows } = await core.pool.query<{ footprint: string }>(`
    SELECT json_build_object(
      'sessions', (SELECT json_agg(s ORDER BY s.id) FROM sessions s),
      'attempts', (SELECT json_agg(a ORDER BY a.subject, a.origin) FROM attempts a),
      'revocations', (SELECT count(*) FROM revocations))::text AS footprint`)
  return rows[0]?.footprint ?? ''
}

/** How many audit events of a type there are. */
export async function auditCount({ core }: Pick<TestApp, 'core'>, type: string): Promise<number> {
  const { rows } = await core.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM audit_events WHERE type = $1', [type])
  return rows[0]?.count ?? 0
}

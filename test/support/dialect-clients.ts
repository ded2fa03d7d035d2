import { dialectNames, type DialectName } from '../../src/domain/model.js'
import type { NewAccount } from '../../src/domain/operators.js'
import type { TestApp } from './app.js'
import { call, claimsOf, type Answer } from './auth-client.js'

/** Where a client goes. */
type Place = Pick<TestApp, 'url'>

/** What a client of any dialect holds. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

interface DialectClient {
  login(node: Place, person: Person, otp?: string): Promise<Answer>
  refresh(node: Place, refreshToken: string): Promise<Answer>
  logout?(node: Place, tokens: Tokens): Promise<Answer>
  tokensOf(answer: Answer): Tokens
  /** How it answers a refresh token that is no good. */
  readonly invalidRefresh: readonly [status: number, text: string]
}

export interface Person {
  readonly id: string
  readonly username: string
  readonly email: string
  readonly password: string
  readonly pin: string
}

let people = 0

/** Somebody nobody has met, with every credential there is. */
export async function newPerson(node: TestApp, account: Partial<NewAccount> = {}): Promise<Person> {
  people += 1
  const username = `person${people}`
  const person = { username, email: `${username}@example.com`, password: 'correct horse battery staple', pin: '471100' }
  const { id } = await node.createUser({ ...person, ...account })
  return { id, ...person }
}

const member = (answer: Answer, name: string): string => String((answer.json as Record<string, unknown>)[name])
const withOtp = (body: object, otp: string | undefined) => (otp === undefined ? body : { ...body, otp })
const bearer = ({ accessToken }: Tokens) => ({ authorization: `Bearer ${accessToken}` })

/** The four ways in, each as its source writes it. */
export const clients: Readonly<Record<DialectName, DialectClient>> = {
  pin: {
    login: (node, { username, pin }, otp) => call(node, '/auth/login', { body: withOtp({ name: username, pin }, otp) }),
    refresh: (node, refreshToken) => call(node, '/auth/refresh', { headers: { cookie: `refreshToken=${refreshToken}` } }),
    logout: (node, { accessToken }) => call(node, '/auth/logout', { headers: { cookie: `accessToken=${accessToken}` } }),
    tokensOf: ({ cookies }) => ({ accessToken: cookies.accessToken?.value ?? '', refreshToken: cookies.refreshToken?.value ?? '' }),
    invalidRefresh: [401, '{"message":"Invalid token"}'],
  },
  directus: {
    login: (node, { email, password }, otp) => call(node, '/auth/login', { body: withOtp({ email, password }, otp) }),
    refresh: (node, refreshToken) => call(node, '/auth/refresh', { body: { refresh_token: refreshToken, mode: 'json' } }),
    logout: (node, { refreshToken }) => call(node, '/auth/logout', { body: { refresh_token: refreshToken } }),
    tokensOf: (answer) => ({ accessToken: member(answer, 'access_token'), refreshToken: member(answer, 'refresh_token') }),
    invalidRefresh: [401, '{"errors":[{"message":"Invalid user credentials.","extensions":{"code":"INVALID_CREDENTIALS"}}]}'],
  },
  bearer: {
    login: (node, { username, password }, otp) => call(node, '/api/v1/auth/login', { body: withOtp({ username, password }, otp) }),
    refresh: (node, refreshToken) => call(node, '/api/v1/auth/refresh', { body: { refreshToken } }),
    logout: (node, tokens) => call(node, '/api/v1/auth/logout', { headers: bearer(tokens) }),
    tokensOf: (answer) => ({ accessToken: member(answer, 'token'), refreshToken: member(answer, 'refreshToken') }),
    invalidRefresh: [401, '{"error":"Invalid or expired refresh token"}'],
  },
  tokenset: {
    login: (node, { username, password }, otp) => call(node, '/v1/auth', { body: withOtp({ username, password }, otp) }),
    refresh: (node, refreshToken) => call(node, '/v1/auth/refreshtoken', { body: { refreshtoken: refreshToken } }),
    tokensOf: (answer) => (answer.json as { tokens: Tokens }).tokens,
    invalidRefresh: [400, '{"statusCode":400,"statusMessage":"Failed to refresh token","error":"Invalid Refresh Token"}'],
  },
}

export const everyDialect: readonly DialectName[] = dialectNames

/** @throws when the login or refresh was refused */
function tokensOf(dialect: DialectName, answer: Answer): Tokens {
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  return clients[dialect].tokensOf(answer)
}

export const enter = async (node: Place, dialect: DialectName, person: Person): Promise<Tokens> => tokensOf(dialect, await clients[dialect].login(node, person))

export const renew = async (node: Place, dialect: DialectName, refreshToken: string): Promise<Tokens> => tokensOf(dialect, await clients[dialect].refresh(node, refreshToken))

export const sessionIdOf = ({ accessToken }: Tokens): string => String(claimsOf(accessToken).sid)

/** Whether the service would let this token through, as a gateway asks. */
export async function isLive(node: Place, { accessToken }: Pick<Tokens, 'accessToken'>): Promise<boolean> {
  const { status } = await call(node, '/verify', { method: 'GET', headers: { authorization: `Bearer ${accessToken}` } })
  if (status !== 200 && status !== 401) throw new Error(`/verify answered ${status}`)
  return status === 200
}

/** Resolves once a node refuses the token, which it must within the lag that is allowed. */
export async function untilDead(node: Pick<TestApp, 'url' | 'config'>, tokens: Pick<Tokens, 'accessToken'>): Promise<void> {
  const giveUpAt = performance.now() + node.config.revocationMaxLagMs + 1000
  while (await isLive(node, tokens)) {
    if (performance.now() > giveUpAt) throw new Error('the other node still accepts the token')
  }
}

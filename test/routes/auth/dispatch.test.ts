import t, { type Test } from 'tap'
import { startTestApp, type TestApp } from '../../support/app.js'
import { parseSetCookies, type SetCookie } from '../../support/auth-client.js'
import { logIn } from '../../support/log-in.js'

/**
 * Every combination of call, body, cookies and switched-on dialects, against the rules of *Who answers on /auth* as they are
 * written: in their order, the first match wins.
 */
const operations = ['login', 'refresh', 'logout'] as const
type Operation = (typeof operations)[number]
type Dialect = 'pin' | 'directus'
type Answerer = Dialect | 'both'

const person = { name: 'jane', pin: '4711', email: 'jane@example.com', password: 'correct horse battery staple' }

/** undefined: no body at all. */
const bodies: readonly unknown[] = [
  undefined,
  {},
  { unknown: true },
  { mode: 'json' },
  { mode: 'cookie' },
  { mode: 'session' },
  { refresh_token: 'nobody’s' },
  { refresh_token: '' },
  { refresh_token: null },
  { refresh_token: 'nobody’s', mode: 'json' },
  ...subsets(Object.entries(person)).map((members) => Object.fromEntries(members) as object),
  { name: null },
  { pin: 4711, name: 'jane' },
  { email: ['jane@example.com'] },
  { name: 'jane', pin: '0000' },
  { email: 'jane@example.com', password: 'wrong' },
  null,
  true,
  4711,
  'jane',
  [],
  [{ mode: 'json' }],
]

function subsets<T>(items: readonly T[]): T[][] {
  const [first, ...rest] = items
  if (first === undefined) return []
  const others = subsets(rest)
  return [[first], ...others, ...others.map((subset) => [first, ...subset])]
}

const cookieNames = ['accessToken', 'refreshToken', 'directus_refresh_token'] as const
type CookieName = (typeof cookieNames)[number]
/** What a client sends of each: nothing, an empty value, or a good one. */
type Cookies = Readonly<Record<CookieName, 'absent' | 'empty' | 'good'>>

const cookies = (accessToken: Cookies[CookieName], refreshToken: Cookies[CookieName], directus_refresh_token: Cookies[CookieName]): Cookies => ({ accessToken, refreshToken, directus_refresh_token })

/** Tried beside every body. */
const plainCookies: readonly Cookies[] = [
  cookies('absent', 'absent', 'absent'),
  cookies('empty', 'empty', 'empty'),
  cookies('good', 'good', 'absent'),
  cookies('absent', 'absent', 'good'),
  cookies('good', 'good', 'good'),
]

/** Tried beside the bodies that leave the choice to the cookies, and one that does not. */
const oddCookies: readonly Cookies[] = [
  cookies('good', 'absent', 'absent'),
  cookies('absent', 'good', 'absent'),
  cookies('good', 'empty', 'absent'),
  cookies('empty', 'good', 'empty'),
  cookies('good', 'absent', 'good'),
  cookies('absent', 'good', 'good'),
  cookies('good', 'good', 'empty'),
  cookies('empty', 'empty', 'good'),
  cookies('good', 'empty', 'good'),
]
const bodiesWithOddCookies: readonly unknown[] = [undefined, {}, { unknown: true }, { mode: 'json' }]

function combinations(operation: Operation): [unknown, Cookies][] {
  const pairs = (some: readonly unknown[], kinds: readonly Cookies[]) => some.flatMap((body) => kinds.map((kind): [unknown, Cookies] => [body, kind]))
  return [...pairs(bodies, plainCookies), ...(operation === 'login' ? [] : pairs(bodiesWithOddCookies, oddCookies))]
}

const switches: readonly (readonly Dialect[])[] = [['pin', 'directus'], ['pin'], ['directus'], []]

interface Expected {
  readonly status: number
  /** null: there is no body to tell from. */
  readonly shape: Answerer | null
  readonly set: readonly CookieName[]
  readonly cleared: readonly CookieName[]
}

const isObject = (body: unknown): body is object => typeof body === 'object' && body !== null && !Array.isArray(body)
const has = (body: unknown, ...names: string[]): boolean => isObject(body) && names.some((name) => name in body)
const memberOf = (body: unknown, name: string): unknown => (isObject(body) ? new Map<string, unknown>(Object.entries(body)).get(name) : undefined)

function answerer(operation: Operation, body: unknown, cookies: Cookies, on: readonly Dialect[]): Answerer {
  const [only] = on
  if (on.length === 1 && only !== undefined) return only
  if (body !== undefined && !isObject(body)) return 'both'
  return operation === 'login' ? answererOfLogin(body) : answererOfSession(operation, body, cookies)
}

function answererOfLogin(body: unknown): Answerer {
  if (has(body, 'name', 'pin') && !has(body, 'email', 'password')) return 'pin'
  if (has(body, 'email', 'password') && !has(body, 'name', 'pin')) return 'directus'
  return 'both'
}

function answererOfSession(operation: Operation, body: unknown, cookies: Cookies): Answerer {
  const ofPin = cookies.refreshToken === 'good' || (operation === 'logout' && cookies.accessToken === 'good')
  const ofDirectus = cookies.directus_refresh_token === 'good'
  if (has(body, 'mode', 'refresh_token')) return 'directus'
  if (ofPin && !ofDirectus) return 'pin'
  if (ofDirectus && !ofPin) return 'directus'
  return body === undefined ? 'pin' : 'directus'
}

const answer = (status: number, shape: Answerer | null, { set = [], cleared = [] }: Partial<Pick<Expected, 'set' | 'cleared'>> = {}): Expected => ({ status, shape, set, cleared })

function expected(operation: Operation, body: unknown, cookies: Cookies, on: readonly Dialect[]): Expected {
  if (on.length === 0) return answer(404, 'both')
  const by = answerer(operation, body, cookies, on)
  if (by === 'both' || (body !== undefined && !isObject(body))) return answer(400, by)
  if (by === 'pin') return expectedOfPin(operation, body, cookies)
  return expectedOfDirectus(operation, body, cookies)
}

function expectedOfPin(operation: Operation, body: unknown, cookies: Cookies): Expected {
  const own = ['accessToken', 'refreshToken'] as const
  switch (operation) {
    case 'login': {
      const { name, pin } = { name: memberOf(body, 'name'), pin: memberOf(body, 'pin') }
      if (typeof name !== 'string' || typeof pin !== 'string') return answer(400, 'pin')
      return pin === person.pin ? answer(200, 'pin', { set: own }) : answer(401, 'pin')
    }
    case 'refresh':
      return cookies.refreshToken === 'good' ? answer(200, 'pin', { set: own }) : answer(401, 'pin')
    case 'logout':
      return cookies.accessToken === 'good' ? answer(200, 'pin', { cleared: own }) : answer(401, 'pin')
  }
}

function expectedOfDirectus(operation: Operation, body: unknown, cookies: Cookies): Expected {
  const own = ['directus_refresh_token'] as const
  const { mode, token } = { mode: memberOf(body, 'mode'), token: memberOf(body, 'refresh_token') }
  if (mode === 'session') return answer(400, 'directus')
  if (operation === 'login') {
    const { email, password } = { email: memberOf(body, 'email'), password: memberOf(body, 'password') }
    if (typeof email !== 'string' || typeof password !== 'string') return answer(400, 'directus')
    return password === person.password ? answer(200, 'directus') : answer(401, 'directus')
  }
  if (token === null) return answer(400, 'directus')
  if (typeof token === 'string' && token !== '') return operation === 'refresh' ? answer(401, 'directus') : answer(204, null)
  if (cookies.directus_refresh_token !== 'good') return answer(400, 'directus')
  if (operation === 'logout') return answer(204, null, { cleared: own })
  return answer(200, 'directus', mode === 'json' ? { cleared: own } : { set: own })
}

/** Good cookies, made anew when the last answer used them up. */
class Wallet {
  readonly #good = new Map<CookieName, string>()

  constructor(private readonly node: TestApp) {}

  async valueOf(name: CookieName): Promise<string> {
    if (!this.#good.has(name)) await this.#fill(name)
    return this.#good.get(name) ?? ''
  }

  async #fill(name: CookieName): Promise<void> {
    const dialect = name === 'directus_refresh_token' ? 'directus' : 'pin'
    const grant = await (dialect === 'pin' ? logIn(this.node, person.name, person.pin, 'pin') : logIn(this.node, person.email, person.password, dialect))
    if (dialect === 'pin') this.#good.set('accessToken', grant.accessToken)
    this.#good.set(dialect === 'pin' ? 'refreshToken' : name, grant.refreshToken)
  }

  /** A success may have rotated or ended what was sent. */
  empty(): void {
    this.#good.clear()
  }
}

async function cookieHeader(cookies: Cookies, wallet: Wallet): Promise<string> {
  const parts: string[] = []
  for (const name of cookieNames) {
    if (cookies[name] !== 'absent') parts.push(`${name}=${cookies[name] === 'good' ? await wallet.valueOf(name) : ''}`)
  }
  return parts.join('; ')
}

interface Observed {
  readonly status: number
  readonly shape: Answerer | null
  readonly set: string[]
  readonly cleared: string[]
}

async function observe(node: TestApp, operation: Operation, body: unknown, cookie: string): Promise<Observed> {
  const response = await node.app.inject({
    method: 'POST',
    url: `/auth/${operation}`,
    headers: { ...(cookie === '' ? {} : { cookie }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  })
  const cookies = Object.entries(parseSetCookies([response.headers['set-cookie'] ?? []].flat()))
  const isCleared = ([, { value, attributes }]: [string, SetCookie]): boolean => value === '' && attributes['Max-Age'] === '0'
  return {
    status: response.statusCode,
    shape: shapeOf(response.body),
    set: cookies.filter((one) => !isCleared(one)).map(([name]) => name).sort(),
    cleared: cookies.filter(isCleared).map(([name]) => name).sort(),
  }
}

function shapeOf(text: string): Answerer | null {
  if (text === '') return null
  const body: unknown = JSON.parse(text)
  if (has(body, 'message') && has(body, 'errors')) return 'both'
  return has(body, 'message') ? 'pin' : 'directus'
}

const describe = (operation: Operation, body: unknown, cookies: Cookies): string => {
  const sent = cookieNames.filter((name) => cookies[name] !== 'absent').map((name) => (cookies[name] === 'empty' ? `${name}=` : name))
  return `${operation} ${body === undefined ? 'without a body' : JSON.stringify(body)}, ${sent.join(' ') || 'no cookies'}`
}

async function tryAll(t: Test, node: TestApp, on: readonly Dialect[]) {
  const wallet = new Wallet(node)
  for (const operation of operations) {
    const all = combinations(operation)
    for (const [body, kind] of all) {
      const observed = await observe(node, operation, body, await cookieHeader(kind, wallet))
      const { status, shape, set, cleared } = expected(operation, body, kind, on)
      const due = { status, shape, set: [...set].sort(), cleared: [...cleared].sort() }
      if (JSON.stringify(observed) !== JSON.stringify(due)) t.same(observed, due, describe(operation, body, kind))
      if (observed.status < 300) wallet.empty()
      // What is tried here is who answers, not how often.
      if (observed.status === 401) await node.core.service.repository.attempts.unlock(user.id)
    }
    t.pass(`${operation}: ${all.length} combinations`)
  }
}

const first = await startTestApp(t)
const user = await first.createUser({ username: person.name, pin: person.pin, email: person.email, password: person.password })

for (const on of switches) {
  await t.test(`with ${on.join(' and ') || 'neither'} switched on`, async (t) => {
    const DIALECTS = [...on, 'bearer'].join(',')
    await tryAll(t, await startTestApp(t, { database: first.database, environment: { DIALECTS } }), on)
  })
}

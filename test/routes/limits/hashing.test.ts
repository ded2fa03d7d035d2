import t from 'tap'
import { adminCalls, newAdmin, nobody } from '../../support/admin.js'
import { calls as accountCalls, codeOf, password, send, somebody, type Answer, type Call } from '../../support/account.js'
import { startTestApp } from '../../support/app.js'

interface Operation {
  readonly method: string
  readonly path: string
}

const unlimited = { RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '100000/min', TRUST_PROXY: '127.0.0.1' }
const classOf = ({ headers }: Answer): string => /^"(\w+)"/.exec(headers.get('ratelimit-policy') ?? '')?.[1] ?? 'none'

async function operationsOf(url: string): Promise<Operation[]> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> }
  return Object.entries(document.paths).flatMap(([path, item]) => Object.keys(item).filter((key) => /^(get|post|put|patch|delete)$/.test(key)).map((method) => ({ method: method.toUpperCase(), path })))
}

const isOf = ({ method, path }: Operation) => (call: Call): boolean =>
  (call.method ?? 'GET') === method && new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`).test(call.path.split('?')[0] ?? '')

await t.test('every path that computes a hash is limited as logins are, and every path is limited', async (t) => {
  const node = await startTestApp(t, { environment: unlimited })
  const admin = await newAdmin(node)
  const person = await somebody(node, { pin: '4711' })
  const generated = (await send(node, { method: 'POST', path: '/users/me/tfa/generate', token: person.token, body: { password } })).body as { data: { secret: string } }
  const { secret } = generated.data
  const onUser = (rest: string): string => `/admin/users/${person.id}${rest}`
  // What reaches the hasher where a path has one; the others only have to be asked.
  const good: readonly Call[] = [
    { method: 'POST', path: '/auth/login', body: { name: person.username, pin: '0000' } },
    { method: 'POST', path: '/api/v1/auth/login', body: { username: person.username, password: 'wrong wrong' } },
    { method: 'POST', path: '/v1/auth', body: { username: person.username, password: 'wrong wrong' } },
    { method: 'POST', path: '/users/me/tfa/generate', token: person.token, body: { password } },
    { method: 'POST', path: '/users/me/tfa/enable', token: person.token, body: { secret, otp: codeOf(node, secret) } },
    { method: 'POST', path: '/users/me/tfa/disable', token: person.token, body: { otp: '000000' } },
    { method: 'POST', path: '/users/me/pin', token: person.token, body: { password, pin: '4712' } },
    { method: 'POST', path: '/users/me/password', token: person.token, body: { current: password, new: 'another good long one' } },
    { method: 'POST', path: '/admin/users', token: admin.key, body: { username: 'made.by.admin', password: 'a good long password', pin: '4713' } },
    { method: 'POST', path: onUser('/password'), token: admin.key, body: { password: 'a good long password' } },
    { method: 'POST', path: onUser('/pin'), token: admin.key, body: { pin: '4714' } },
  ]
  let hashes = 0
  node.core.hashQueue.observe({ onStart: () => { hashes += 1 }, onReject: () => undefined })
  const hashing: string[] = []
  for (const operation of await operationsOf(node.url)) {
    const call = good.find(isOf(operation)) ?? [...accountCalls, ...adminCalls].find(isOf(operation)) ?? { method: operation.method, path: operation.path.replaceAll(/\{\w+\}/g, nobody), body: operation.method === 'GET' ? undefined : {} }
    hashes = 0
    const answer = await send(node, { token: admin.key, ...call })
    const name = `${operation.method} ${operation.path}`
    t.ok(classOf(answer) !== 'none', `${name} is limited`)
    if (hashes > 0) {
      hashing.push(name)
      t.equal(classOf(answer), 'login', `${name} computes a hash: it answers ${answer.status}`)
    }
  }
  t.equal(hashing.length, good.length, `those that hash were seen to: ${hashing.join(', ')}`)
})

await t.test('one user who changes the password over and over, from many addresses, is refused after as many times as logins are [attack:hashes-by-one-account]', async (t) => {
  const node = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '5/min', TRUST_PROXY: '127.0.0.1' } })
  const person = await somebody(node)
  const other = await somebody(node)
  const from = (address: number, call: Call): Promise<Answer> => send(node, { ...call, headers: { 'x-forwarded-for': `198.51.100.${address}` } })
  const change = (i: number, token = person.token): Promise<Answer> => from(i, { method: 'POST', path: '/users/me/password', token, body: { current: 'wrong wrong', new: 'another good long one' } })
  const statuses: number[] = []
  for (let i = 0; i < 7; i += 1) statuses.push((await change(i)).status)
  t.strictSame(statuses, [401, 401, 401, 401, 401, 429, 429])
  t.equal((await from(20, { method: 'POST', path: '/users/me/pin', token: person.token, body: { password: 'wrong wrong', pin: '4711' } })).status, 429, 'by another path that hashes')
  t.equal((await from(20, { method: 'POST', path: '/users/me/tfa/disable', token: person.token, body: { otp: '000000' } })).status, 429)
  t.match((await change(21)).headers.get('retry-after'), /^\d+$/)
  t.equal((await from(22, { path: '/users/me', token: person.token })).status, 200, 'what does not hash is served')
  t.equal((await change(23, other.token)).status, 401, 'another user is not concerned')
  t.equal((await from(24, { method: 'POST', path: '/api/v1/auth/login', body: { username: other.username, password } })).status, 200, 'and a login is counted by its address')
})

await t.test('an operator who sets secrets over and over is refused too, and so is an address with tokens of many users', async (t) => {
  const node = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_LOGIN: '5/min', TRUST_PROXY: '127.0.0.1' } })
  const admin = await newAdmin(node)
  const person = await somebody(node)
  const statuses: number[] = []
  for (let i = 0; i < 6; i += 1) statuses.push((await send(node, { method: 'POST', path: `/admin/users/${person.id}/pin`, token: admin.token, body: { pin: `471${i}` }, headers: { 'x-forwarded-for': `198.51.100.${i}` } })).status)
  t.strictSame(statuses, [204, 204, 204, 204, 204, 429])
  const people = await Promise.all(Array.from({ length: 6 }, () => somebody(node)))
  const answers: number[] = []
  for (const { token } of people) answers.push((await send(node, { method: 'POST', path: '/users/me/tfa/generate', token, body: { password: 'wrong wrong' }, headers: { 'x-forwarded-for': '203.0.113.7' } })).status)
  t.strictSame(answers, [401, 401, 401, 401, 401, 429])
})

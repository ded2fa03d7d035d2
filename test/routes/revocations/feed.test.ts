import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { createClient } from '../../../src/domain/clients.js'
import { startTestApp, type TestApp } from '../../support/app.js'
import { call } from '../../support/auth-client.js'
import { clientOf, tokenOf } from '../../support/oauth.js'
import { createVerifier } from '../../../src/verify/index.js'
import { openSession } from '../../support/sessions.js'

const operator = { kind: 'operator', id: 'test' } as const

/** What the feed answers, member by member. */
interface Page {
  readonly status: number
  readonly cursor: string
  readonly resync: boolean
  readonly waitedMs: number
  readonly subjects: readonly string[]
}

const node = await startTestApp(t)
const { client, secret } = await createClient(node.core.service, { name: 'orders', scopes: ['revocations', 'introspect'], accessSeconds: null, jwks: null }, operator, 3600)
const { accessToken } = await tokenOf(node, clientOf(client.id, secret ?? ''))

async function read(cursor?: string, waitMs = 0, from: TestApp = node): Promise<Page> {
  const query = new URLSearchParams({ wait: String(waitMs), ...(cursor === undefined ? {} : { cursor }) })
  const { status, json } = await call(from, `/revocations?${query.toString()}`, { method: 'GET', headers: { authorization: `Bearer ${accessToken}` } })
  const page = { cursor: '', resync: false, waited_ms: 0, revocations: [] as { subject: string }[], ...(typeof json === 'object' ? json : {}) }
  return { status, cursor: page.cursor, resync: page.resync, waitedMs: page.waited_ms, subjects: page.revocations.map(({ subject }) => subject) }
}

const revoke = (subject: string) => node.core.service.repository.transaction((tx) => tx.revocations.announce({ kind: 'session', subject }))

/** This node has been told by the database. */
async function known(subject: string): Promise<void> {
  while (!(await read()).subjects.includes(subject)) await pause(5)
}

await t.test('the feed refuses a parameter that there is not [attack:mistyped-parameter]', async (t) => {
  const node = await startTestApp(t)
  for (const query of ['curser=1', 'cursor=1&waits=5', 'since=1']) {
    const answer = await node.app.inject(`/revocations?${query}`)
    t.equal(answer.statusCode, 400, query)
    t.match(answer.body, / is not a parameter of this path: it takes cursor and wait"/)
  }
})

await t.test('a cursor that was handed out goes on where it stopped, with no resync', async (t) => {
  t.match(await read(), { status: 200, cursor: '0', resync: false, subjects: [] })
  await revoke('one')
  await known('one')
  const first = await read()
  t.match(first, { resync: false, subjects: ['one'] })
  await revoke('two')
  t.match(await read(first.cursor, 5000), { resync: false, subjects: ['two'] })
})

await t.test('a cursor from the future, a malformed one and one of another history get everything, and are told so', async (t) => {
  const { cursor } = await read()
  const [seq = '', stamp = ''] = cursor.split('-')
  for (const foreign of [`${Number(seq) + 1}-${stamp}`, `${seq}-${Number(stamp) + 1}`, `${'9'.repeat(40)}-1`, '-1', '1', 'null', "'; DROP TABLE revocations", '\u0000', '%', ' 0', '00', '']) {
    t.strictSame(await read(foreign), { status: 200, cursor, resync: true, waitedMs: 0, subjects: ['one', 'two'] }, JSON.stringify(foreign))
  }
  t.equal((await read('x'.repeat(101))).status, 400, 'longer than any of ours')
})

await t.test('a cursor from before the retention gets everything that lives, and is told so', async (t) => {
  const old = (await read()).cursor
  t.match(await read(old), { resync: false, subjects: [] })
  await node.clock.advance(3 * 3600)
  const again = await tokenOf(node, clientOf(client.id, secret ?? ''))
  for (const subject of ['three', 'four']) await revoke(subject)
  while (node.app.revocationLog.read('0').revocations.at(-1)?.subject !== 'four') await pause(5)
  node.app.revocationLog.prune(node.clock.now())
  const { json } = await call(node, `/revocations?cursor=${old}`, { method: 'GET', headers: { authorization: `Bearer ${again.accessToken}` } })
  t.match(json, { resync: true, revocations: [{ subject: 'three' }, { subject: 'four' }] })
})

await t.test('a verifier whose cursor is never known again keeps to what lives', async (t) => {
  const user = await node.createUser({ username: 'jane' })
  const [ended, lives] = [await openSession(node, user), await openSession(node, user)]
  let resyncs = 0
  const forgetful: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    if (url.searchParams.has('cursor')) url.searchParams.set('cursor', 'lost')
    const response = await fetch(url, init)
    if (url.pathname === '/revocations' && (await response.clone().text()).includes('"resync":true')) resyncs += 1
    return response
  }
  const verifier = createVerifier({
    issuer: node.config.publicUrl.href,
    baseUrl: node.url,
    credential: { clientId: client.id, clientSecret: secret ?? '' },
    fetch: forgetful,
    now: () => node.clock.now().getTime(),
    maxLagMs: 1000,
    onError: (error) => t.fail(error.message),
  })
  t.teardown(() => {
    verifier.close()
  })
  await verifier.ready()
  const fate = (token: string) => verifier.verify(token).then(() => 'alive', (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error))
  t.equal(await fate(ended.accessToken), 'alive')
  await revoke(ended.state.session.id)
  while ((await fate(ended.accessToken)) === 'alive') await pause(5)
  const until = resyncs + 3
  while (resyncs < until) {
    t.strictSame([await fate(ended.accessToken), await fate(lives.accessToken)], ['revoked', 'alive'])
    await pause(50)
  }
})

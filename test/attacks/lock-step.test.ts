import t, { type Test } from 'tap'
import { startTestApp } from '../support/app.js'
import { auditCount, call, type Answer } from '../support/auth-client.js'
import { clients, enter, newPerson, sessionIdOf, type Tokens } from '../support/dialect-clients.js'

const node = await startTestApp(t, { environment: { TRUST_PROXY: '127.0.0.1' } })
const other = await startTestApp(t, { environment: { TRUST_PROXY: '127.0.0.1' }, database: node.database, clock: node.clock })

const victim = '198.51.100.7'
const thief = '203.0.113.9'
const from = (ip: string) => ({ 'x-forwarded-for': ip })

const refreshFrom = (ip: string, { refreshToken }: Tokens, on = node): Promise<Answer> =>
  call(on, '/auth/refresh', { body: { refresh_token: refreshToken, mode: 'json' }, headers: from(ip) })
const bearerFrom = (ip: string, { refreshToken }: Tokens): Promise<Answer> => call(node, '/api/v1/auth/refresh', { body: { refreshToken }, headers: from(ip) })

function granted(t: Test, answer: Answer, what = ''): Tokens {
  t.equal(answer.status, 200, what)
  return clients.directus.tokensOf(answer)
}

const crossingsCounted = async () => Number(/^tessera_refresh_crossings_total\{dialect="directus"\} (\d+)$/m.exec(await node.app.metrics.text())?.[1])
const events = () => auditCount(node, 'refresh_crossed_networks')

await t.test('a thief and a victim in lock-step inside the grace window are seen, and after three generations the session ends [attack:lock-step-in-the-grace-window]', async (t) => {
  let tokens = await enter(node, 'directus', await newPerson(node))
  const sessionId = sessionIdOf(tokens)
  const counted = await crossingsCounted()
  for (const generation of [1, 2]) {
    const [first, second] = generation % 2 === 1 ? [victim, thief] : [thief, victim]
    const next = granted(t, await refreshFrom(first, tokens))
    const again = granted(t, await refreshFrom(second, tokens, other), `generation ${generation}`)
    t.equal(again.refreshToken, next.refreshToken)
    granted(t, await refreshFrom(second, tokens), 'the same generation again is no new one')
    tokens = next
  }
  t.equal(await events(), 2)
  t.equal(await crossingsCounted(), counted + 2)
  const next = granted(t, await refreshFrom(victim, tokens))
  t.equal((await refreshFrom(thief, tokens, other)).status, 401)
  t.equal((await refreshFrom(victim, next)).status, 401, 'the session is dead for both')
  const { rows } = await node.core.pool.query<object>('SELECT revoked_because FROM sessions WHERE id = $1', [sessionId])
  t.same(rows, [{ revoked_because: 'refresh_reused' }])
  t.equal(await auditCount(node, 'refresh_reused'), 1)
})

await t.test('somebody on the move, who changes networks once or twice, is not hurt', async (t) => {
  let tokens = await enter(node, 'directus', await newPerson(node))
  const networks = [victim, thief, '192.0.2.1', '2001:db8:1:2::3', victim]
  for (const [index, network] of networks.entries()) {
    // An answer is lost, and the network is another one when the client asks again.
    const isLost = index === 1 || index === 2
    const next = granted(t, await refreshFrom(network, tokens))
    if (isLost) t.equal(granted(t, await refreshFrom(networks[index + 1] ?? '', tokens)).refreshToken, next.refreshToken)
    tokens = next
  }
})

await t.test('crossings that are not in a row are no reuse', async (t) => {
  let tokens = await enter(node, 'directus', await newPerson(node))
  for (let generation = 0; generation < 9; generation += 1) {
    const next = granted(t, await refreshFrom(victim, tokens))
    if (generation % 3 !== 2) granted(t, await refreshFrom(thief, tokens))
    tokens = next
  }
})

await t.test('several windows of one household are one network', async (t) => {
  const before = await events()
  let tokens = await enter(node, 'directus', await newPerson(node))
  for (let generation = 0; generation < 5; generation += 1) {
    const next = granted(t, await refreshFrom(`2001:db8:7:7::${generation}`, tokens))
    granted(t, await refreshFrom(`2001:db8:7:7:ffff::${generation}`, tokens))
    tokens = next
  }
  t.equal(await events(), before)
})

await t.test('a static client keeps its first token, from wherever it is', async (t) => {
  const before = await events()
  const tokens = await enter(node, 'bearer', await newPerson(node))
  for (let i = 0; i < 8; i += 1) t.equal((await bearerFrom(i % 2 === 0 ? victim : thief, tokens)).status, 200)
  t.equal(await events(), before)
  let successor = clients.bearer.tokensOf(await bearerFrom(victim, tokens))
  for (let generation = 2; generation <= 4; generation += 1) {
    const next = await bearerFrom(victim, successor)
    t.equal(next.status, 200)
    t.equal((await bearerFrom(thief, successor)).status, generation === 4 ? 401 : 200, `generation ${generation}`)
    successor = clients.bearer.tokensOf(next)
  }
})

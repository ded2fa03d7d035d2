import t, { type Test } from 'tap'
import { createClient } from '../../src/domain/clients.js'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.js'
import { claimsOf } from '../support/auth-client.js'
import { createCli, jsonOf } from '../support/cli.js'
import { startVerifier, verifierFate, verifyStatus } from '../support/fleet.js'
import { forge, genuine, goodClaims, goodHeader } from '../support/forge.js'
import { logIn } from '../support/log-in.js'
import { clientOf as credentialsOf, tokenOf } from '../support/oauth.js'
import { unknownId, untilSomebodyWaits } from '../support/repository.js'

const hour = 3600
const longLived = { BEARER_ACCESS_TTL: '12h' }
const password = 'correct horse'

const sidOf = (token: string): string => String(claimsOf(token).sid)

/** For connections that the clock does not reach: those of the feed and of the command line have the time at which they were opened. */
function connectionNow({ database, clock }: TestApp): string {
  const url = new URL(database.connectionString)
  url.searchParams.set('options', `-c tessera.clock_shift=${Math.round((clock.now().getTime() - Date.now()) / 1000)}s`)
  return url.href
}

/** The same database and the same time, another process. */
const beside = (t: Test, node: TestApp, environment: TestAppOptions['environment'] = {}): Promise<TestApp> =>
  startTestApp(t, { database: node.database, clock: node.clock, environment: { ...environment, DATABASE_LISTEN_URL: connectionNow(node) } })

const patientVerifier = (t: Test, node: TestApp) => startVerifier(t, node, { maxLagMs: 20_000 })

/** A shell of an operator: the database and the master secret, and no setting of the service. */
const bareShell = (node: TestApp) => createCli({ DATABASE_URL: connectionNow(node), MASTER_SECRET: node.config.masterSecret ?? '' })

async function tokenOfJane(node: TestApp): Promise<string> {
  await node.createUser({ username: 'jane', password })
  return (await logIn(node, 'jane', password)).accessToken
}

const boundOf = ({ core }: TestApp): Promise<number> => core.service.repository.fleet.longestTokenSeconds()

const longestRevocation = async ({ core }: TestApp): Promise<number> => {
  const { rows: [row] } = await core.pool.query<{ seconds: number }>('SELECT max(extract(epoch FROM expires_at - created_at))::integer AS seconds FROM revocations')
  return row?.seconds ?? 0
}

await t.test('a 12-hour token stays dead when a shell without the service’s settings suspends its user [attack:revocation-of-another-environment]', async (t) => {
  const node = await startTestApp(t, { environment: longLived })
  const token = await tokenOfJane(node)
  t.match(await bareShell(node)(['user', 'suspend', '--username', 'jane']), { status: 0 })
  await node.clock.advance(62 * 60)
  t.equal(await verifyStatus(await beside(t, node, longLived), token), 401)
  await node.clock.advance(10 * hour)
  t.equal(await verifyStatus(await beside(t, node, longLived), token), 401)
  t.equal(await verifierFate(await patientVerifier(t, node), token), 'revoked')
})

await t.test('a revocation outlives the tokens of before the lifetime was lowered [attack:lifetime-lowered]', async (t) => {
  const before = await startTestApp(t, { environment: longLived })
  const [token, spared] = [await tokenOfJane(before), (await logIn(before, 'jane', password)).accessToken]
  await before.close()
  const node = await beside(t, before)
  t.equal(await verifyStatus(node, spared), 200, 'what was signed stays good')
  t.match(await bareShell(node)(['session', 'revoke', sidOf(token)]), { status: 0 })
  await node.clock.advance(62 * 60)
  const later = await beside(t, node)
  const verifier = await patientVerifier(t, later)
  t.same([await verifyStatus(later, token), await verifierFate(verifier, token)], [401, 'revoked'])
  t.same([await verifyStatus(later, spared), await verifierFate(verifier, spared)], [200, 'alive'])
  await node.clock.advance(11 * hour)
  t.same([await verifyStatus(later, spared), await verifierFate(verifier, spared)], [401, 'expired'])
})

await t.test('a token that lives longer than any setting has allowed is refused, by services that verify too [attack:longer-than-any-setting]', async (t) => {
  const node = await startTestApp(t, { environment: longLived })
  const token = await tokenOfJane(node)
  const lives = (seconds: number) => {
    const claims = goodClaims(node, { userId: String(claimsOf(token).sub), sessionId: sidOf(token) })
    return forge(goodHeader(node), { ...claims, exp: Number(claims.iat) + seconds }, genuine(node))
  }
  const verifier = await patientVerifier(t, node)
  const fates = async (made: string) => [await verifyStatus(node, made), await verifierFate(verifier, made)]
  t.same(await fates(lives(12 * hour)), [200, 'alive'])
  for (const seconds of [12 * hour + 1, 13 * hour, 0, -1]) t.same(await fates(lives(seconds)), [401, 'invalid'], `${seconds} seconds`)
})

await t.test('a node that starts with a longer lifetime is believed by the others at once, and what they revoke outlives its tokens', async (t) => {
  const node = await startTestApp(t)
  const verifier = await patientVerifier(t, node)
  const other = await beside(t, node, longLived)
  const token = await tokenOfJane(other)
  t.same([await verifyStatus(node, token), await verifierFate(verifier, token)], [200, 'alive'])
  t.match(await bareShell(node)(['user', 'revoke', '--username', 'jane']), { status: 0 })
  t.equal(await longestRevocation(node), 12 * hour + 60)
})

await t.test('a client’s own lifetime raises the bound before its first token, whoever wrote it', async (t) => {
  const node = await startTestApp(t)
  const request = { name: 'nightly', scopes: ['orders'], accessSeconds: null, jwks: null }
  const { client, secret } = await createClient(node.core.service, request, { kind: 'service', id: 'test' }, hour)
  await node.core.pool.query('UPDATE clients SET access_seconds = 86400 WHERE id = $1', [client.id])
  t.equal(await boundOf(node), 86_400)
  const { accessToken } = await tokenOf(node, credentialsOf(client.id, secret ?? ''))
  t.equal(await verifyStatus(node, accessToken), 200)
  await bareShell(node)(['client', 'delete', client.id])
  await node.clock.advance(23 * hour)
  t.equal(await verifyStatus(await beside(t, node), accessToken), 401)
})

await t.test('the command line gives clients a lifetime as long as the service’s, not as its own shell’s', async (t) => {
  const node = await startTestApp(t, { environment: longLived })
  t.match(jsonOf(await bareShell(node)(['client', 'create', '--name', 'a', '--access-ttl', '12h', '--json'])), { accessSeconds: 12 * hour })
  t.match(await bareShell(node)(['client', 'create', '--name', 'b', '--access-ttl', '13h']), { status: 1, stderr: /the lifetime must be from 1 to 43200 seconds/ })
  t.equal(await boundOf(node), 12 * hour)
})

await t.test('a key verifies for as long as its longest token lives, though the lifetime was lowered', async (t) => {
  const before = await startTestApp(t, { environment: longLived })
  const token = await tokenOfJane(before)
  await before.close()
  const node = await beside(t, before)
  await node.app.signingKeys.rotate({ kind: 'service', id: 'test' })
  await node.clock.advance(2 * hour)
  t.same((await node.app.signingKeys.maintain({ newestMaySignSeconds: null })).retired, [])
  t.equal(await verifyStatus(node, token), 200)
  await node.clock.advance(12 * hour)
  t.equal((await node.app.signingKeys.maintain({ newestMaySignSeconds: null })).retired.length, 1)
})

await t.test('what a node of the previous release announces lives as long, and its longer settings are learned', async (t) => {
  const node = await startTestApp(t, { environment: longLived })
  const announce = (seconds: number) =>
    node.core.pool.query(
      `INSERT INTO revocations (seq, kind, subject, expires_at) VALUES (nextval('revocations_seq'), 'session', 'x', tessera_now() + make_interval(secs => $1))`,
      [seconds])
  await announce(hour + 60)
  t.equal(await longestRevocation(node), 12 * hour + 60)
  await announce(24 * hour + 60)
  t.equal(await boundOf(node), 24 * hour)
})

await t.test('the bound is raised only once the revocations under way are written', async (t) => {
  const node = await startTestApp(t)
  const { repository } = node.core.service
  const order: string[] = []
  let raising: Promise<unknown> = Promise.resolve()
  await repository.transaction(async (tx) => {
    await tx.revocations.announce({ kind: 'session', subject: unknownId })
    raising = repository.fleet.allowTokensOf(12 * hour).then(() => order.push('raised'))
    await untilSomebodyWaits(node.core.pool)
    order.push('written')
  })
  await raising
  t.same(order, ['written', 'raised'])
  t.equal(await boundOf(node), 12 * hour)
})

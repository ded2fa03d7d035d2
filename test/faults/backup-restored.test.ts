import { cpSync, rmSync } from 'node:fs'
import t from 'tap'
import { startTestApp, testMasterSecret } from '../support/app.js'
import { call } from '../support/auth-client.js'
import { createCli } from '../support/cli.js'
import { clients, enter, isLive, newPerson, renew, type Tokens } from '../support/dialect-clients.js'
import { startDurableServer } from '../support/durable-server.js'
import { startNodeProcess } from '../support/node-process.js'

await t.test('fault 19: a backup is restored, as docs/operations.md says', { timeout: 120_000 }, async (t) => {
  const server = await startDurableServer(t)
  const app = await startTestApp(t, { database: server.database })
  const person = await newPerson(app)
  await app.close()
  await server.leave()
  const { dataDir } = server
  const backup = `${dataDir}.backup`
  const cli = createCli({ DATA_DIR: dataDir, MASTER_SECRET: testMasterSecret, PUBLIC_URL: app.config.publicUrl.href })
  const start = () => startNodeProcess(t, { environment: { DATA_DIR: dataDir, PUBLIC_URL: app.config.publicUrl.href, LOG_LEVEL: 'warn' } })
  const restore = () => {
    rmSync(dataDir, { recursive: true })
    cpSync(backup, dataDir, { recursive: true, preserveTimestamps: true })
  }

  let node = await start()
  const open = () => enter(node, 'directus', person)
  const [kept, rotatedLater, revokedBefore, revokedLater] = [await open(), await open(), await open(), await open()]
  const isOk = async (tokens: Tokens) => (await clients.directus.refresh(node, tokens.refreshToken)).status === 200
  await clients.directus.logout?.(node, revokedBefore)
  t.equal(await node.stop('SIGTERM'), 0)
  cpSync(dataDir, backup, { recursive: true, preserveTimestamps: true })

  node = await start()
  const rotated = await renew(node, 'directus', (await renew(node, 'directus', rotatedLater.refreshToken)).refreshToken)
  await clients.directus.logout?.(node, revokedLater)
  const openedLater = await open()
  t.notOk(await isLive(node, revokedLater))
  t.equal(await node.stop('SIGTERM'), 0)

  await t.test('what was true at the time of the backup is true again', async (t) => {
    restore()
    node = await start()
    t.notOk(await isLive(node, revokedBefore), 'what had been revoked before stays dead')
    t.notOk(await isOk(revokedBefore))
    t.ok(await isLive(node, revokedLater), 'what was revoked afterwards lives: hence step 3')
    t.notOk(await isOk(rotated), 'who has a newer token than the backup')
    t.ok(await isOk(await open()), 'logs in again')
    t.notOk(await isOk(openedLater), 'so does who was not there yet')
    t.ok(await isOk(await open()))
    t.ok(await isOk(kept), 'who has not refreshed since goes on')
    t.equal(await node.stop('SIGTERM'), 0)
  })

  await t.test('with the global epoch raised, nothing that was revoked after the backup lives', async (t) => {
    restore()
    t.match(await cli(['session', 'revoke', '--all']), { status: 0 })
    t.match(await cli(['audit', 'verify']), { status: 0 })
    node = await start()
    for (const tokens of [revokedBefore, revokedLater, kept, rotatedLater, rotated, openedLater]) {
      t.notOk(await isLive(node, tokens))
      t.notOk(await isOk(tokens))
    }
    const again = await open()
    t.ok(await isLive(node, again), 'everybody logs in again')
    t.ok(await isOk(again))
    t.equal((await call(node, '/health/ready', { method: 'GET' })).status, 200)
  })
})

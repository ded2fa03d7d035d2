import t from 'tap'
import { startTestApp } from '../support/app.js'
import { claimsOf } from '../support/auth-client.js'
import { clients, renew, sessionIdOf } from '../support/dialect-clients.js'
import { startNodeProcess } from '../support/node-process.js'
import { openSessions } from '../support/sessions.js'
import { createTcpProxy } from '../support/tcp-proxy.js'

const rotations = 20

await t.test('fault 8: a node is killed between the rotation and its answer: the other one answers the same again', { timeout: 120_000 }, async (t) => {
  const other = await startTestApp(t)
  const proxy = await createTcpProxy(t, other.database.connectionString)
  const environment = { DATABASE_URL: proxy.connectionString, DATABASE_POOL: String(rotations), PUBLIC_URL: other.config.publicUrl.href, LOG_LEVEL: 'warn' }
  const node = await startNodeProcess(t, { environment })
  const user = await other.createUser({ username: 'jane', password: 'correct horse' })
  const sessions = await openSessions(other, user, rotations, 'directus')

  proxy.silenceAfterSending('session_advance')
  const answers = sessions.map(({ refreshToken }) => clients.directus.refresh(node, refreshToken).catch(() => 'no answer'))
  const database = await other.database.client()
  const rows = async () => (await database.query<{ generation: number; revoked: boolean }>('SELECT generation, revoked_at IS NOT NULL AS revoked FROM sessions')).rows
  while ((await rows()).some(({ generation }) => generation === 0)) await new Promise(setImmediate)
  await node.stop('SIGKILL')
  t.same(await Promise.all(answers), sessions.map(() => 'no answer'))

  for (const session of sessions) {
    const successor = await renew(other, 'directus', session.refreshToken)
    t.match(claimsOf(successor.refreshToken), { sid: sessionIdOf(session), gen: 1 })
    t.match(claimsOf((await renew(other, 'directus', successor.refreshToken)).refreshToken), { gen: 2 })
  }
  t.same(await rows(), sessions.map(() => ({ generation: 2, revoked: false })))
})

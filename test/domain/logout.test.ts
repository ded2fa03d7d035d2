import t from 'tap'
import { startTestApp } from '../support/app.js'
import { clients, enter, isLive, newPerson } from '../support/dialect-clients.js'
import { createTcpProxy } from '../support/tcp-proxy.js'

await t.test('a logout that is asked for again, since its answer was lost, is obeyed at once by the node that answers', async (t) => {
  const a = await startTestApp(t)
  const proxy = await createTcpProxy(t, a.database.connectionString)
  // It hears nothing of the other node, and may go by what it has heard for a minute.
  const deaf = await startTestApp(t, { database: a.database, environment: { DATABASE_LISTEN_URL: proxy.connectionString, REVOCATION_MAX_LAG_MS: '60000' } })
  const person = await newPerson(a)
  proxy.silence()
  for (const dialect of ['pin', 'directus', 'bearer'] as const) {
    const tokens = await enter(a, dialect, person)
    await clients[dialect].logout?.(a, tokens)
    t.ok(await isLive(deaf, tokens), 'the word has not come here')
    const again = await clients[dialect].logout?.(deaf, tokens)
    t.ok(again && again.status < 300, `${dialect}: a second logout is no error`)
    t.notOk(await isLive(deaf, tokens))
  }
})

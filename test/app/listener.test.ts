import t from 'tap'
import { bind } from '../../src/listener.js'
import { readConfig } from '../../src/config/index.js'
import { boundedConnections } from '../../src/server-options.js'

await t.test('until the application answers: alive, not ready, and every answer has its id', async (t) => {
  const listener = await bind('127.0.0.1', 0, boundedConnections(readConfig({})))
  t.teardown(() => listener.drain(0))
  const ask = (path: string) => fetch(`http://127.0.0.1:${listener.port}${path}`, { headers: { 'x-request-id': 'of-the-caller', connection: 'close' } })
  const live = await ask('/health/live')
  t.strictSame([live.status, await live.json(), live.headers.get('x-request-id'), live.headers.get('retry-after')], [200, { status: 'ok' }, 'of-the-caller', null])
  const early = await ask('/auth/login')
  t.match(await early.json(), { status: 503, detail: 'The service is starting, try again' })
  t.strictSame([early.status, early.headers.get('x-request-id'), early.headers.get('retry-after')], [503, 'of-the-caller', '1'])
})

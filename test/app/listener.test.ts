import t from 'tap'
import { readConfig } from '../../src/config/index.js'
import { bind } from '../../src/listener.js'
import { boundedConnections } from '../../src/server-options.js'
import { startingAnswer } from '../../src/starting.js'

const config = readConfig({})
const start = () => bind('127.0.0.1', 0, boundedConnections(config), startingAnswer(config))

await t.test('until the application answers: alive, not ready, and every answer has its id', async (t) => {
  const listener = await start()
  t.teardown(() => listener.drain(0))
  const ask = (path: string) => fetch(`http://127.0.0.1:${listener.port}${path}`, { headers: { 'x-request-id': 'of-the-caller', connection: 'close' } })
  const live = await ask('/health/live')
  t.strictSame([live.status, await live.json(), live.headers.get('x-request-id'), live.headers.get('retry-after')], [200, { status: 'ok' }, 'of-the-caller', null])
  const early = await ask('/verify')
  t.match(await early.json(), { status: 503, detail: 'The service is starting, try again' })
  t.strictSame([early.status, early.headers.get('x-request-id'), early.headers.get('retry-after')], [503, 'of-the-caller', '1'])
})

await t.test('until the application answers, each path is refused in the words of its API', async (t) => {
  const listener = await start()
  t.teardown(() => listener.drain(0))
  const error = 'Service unavailable, try again'
  const directus = { errors: [{ message: `${error}.`, extensions: { code: 'SERVICE_UNAVAILABLE' } }] }
  const json = 'application/json; charset=utf-8'
  for (const [path, contentType, body] of [
    ['/auth/login', json, { message: error, ...directus }],
    ['/users/me?access_token=x', json, directus],
    ['/items/articles', json, directus],
    ['/api/v1/auth/login', json, { error }],
    ['/v1/auth/', json, { statusCode: 503, statusMessage: 'Service Unavailable', error }],
    ['/oauth/token', json, { error: 'temporarily_unavailable', error_description: error }],
    ['/health/ready', 'application/problem+json', { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'The service is starting, try again' }],
  ] as const) {
    const answer = await fetch(`http://127.0.0.1:${listener.port}${path}`, { headers: { connection: 'close' } })
    t.strictSame([answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control'), await answer.json()], [503, contentType, 'no-store', body], path)
  }
})

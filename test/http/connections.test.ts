import { connect, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createConnections, type ConnectionBounds, type Connections } from '../../src/http/connections.js'
import { httpServerOptions } from '../../src/server-options.js'
import { buildHttpApp, listen, RawClient, statusOf } from '../support/http.js'

const bounds: ConnectionBounds = { unanswered: 16, unreadMs: 300, perAddress: 100, shared: [] }

async function serve(t: Test, handler: RequestListener, changed: Partial<ConnectionBounds> = {}): Promise<{ port: number; connections: Connections }> {
  const connections = createConnections(httpServerOptions, { ...bounds, ...changed })
  const server = connections.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, connections }
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`

async function until(isSo: () => boolean, withinMs = 5000): Promise<boolean> {
  const giveUpAt = performance.now() + withinMs
  while (!isSo() && performance.now() < giveUpAt) await pause(5)
  return isSo()
}

/** More than the system keeps for a client that reads nothing. */
const large = Buffer.alloc(32 * 1024 * 1024, 'x')

await t.test('sixteen requests at once on one connection are all answered, in their order', async (t) => {
  const { port, connections } = await serve(t, (request, response) => response.end(`<${request.url ?? ''}>`))
  const client = new RawClient(port)
  t.teardown(() => client.socket.destroy())
  client.say(Array.from({ length: 16 }, (_, i) => get(`/${i}`)).join(''))
  const heard = await client.hears(/<\/15>/)
  t.strictSame(heard.match(/<\/\d+>/g), Array.from({ length: 16 }, (_, i) => `</${i}>`))
  client.say(Array.from({ length: 16 }, (_, i) => get(`/again/${i}`)).join(''))
  await client.hears(/<\/again\/15>/)
  t.strictSame(connections.ended, { unanswered: 0, unread: 0, address: 0 })
})

const manyRequests = {
  GET: get('/'),
  HEAD: 'HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'POST with a body': 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}',
  'POST in chunks': 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'Expect: 100-continue': 'POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}',
  'an upgrade': get('/', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'),
}

for (const [name, text] of Object.entries(manyRequests)) {
  await t.test(`of 1,500 requests on one connection that reads nothing, no more than sixteen are worked on, and the connection ends: ${name} [attack:pipelined-without-reading]`, async (t) => {
    let worked = 0
    const { port, connections } = await serve(t, (_request, response) => {
      worked += 1
      setTimeout(() => response.end('late'), 50)
    })
    const client = new RawClient(port).say(text.repeat(1500))
    await client.closed
    t.ok(worked >= 1 && worked <= 16, `${worked} were worked on`)
    t.ok(await until(() => [...connections.unanswered()].length === 0), 'nothing of it is waited for')
  })
}

await t.test('what waits behind an answer whose connection was cut is freed: its stream is closed, and it is told [attack:queued-on-a-cut-connection]', async (t) => {
  const streams: Readable[] = []
  const { app } = await buildHttpApp(t, {
    environment: { RATE_LIMIT: 'off' },
    routes(app) {
      app.get('/never', () => new Promise(() => undefined))
      app.get('/stream', (_request, reply) => {
        const stream = new Readable({ read: () => undefined })
        streams.push(stream)
        return reply.send(stream)
      })
    },
  })
  const client = new RawClient(await listen(app)).say(get('/never') + get('/stream').repeat(10))
  t.ok(await until(() => streams.length === 10))
  t.strictSame(streams.map(({ destroyed }) => destroyed).filter(Boolean), [])
  client.socket.destroy()
  t.ok(await until(() => streams.every(({ destroyed }) => destroyed)), `${streams.filter(({ destroyed }) => destroyed).length} of 10 streams are closed`)
})

await t.test('an answer that comes after its connection was cut breaks nothing, and each answer is told once', async (t) => {
  let told = 0
  const { port } = await serve(t, (_request, response) => {
    response.once('close', () => setTimeout(() => { response.writeHead(200).end('too late') }, 20))
    response.on('close', () => { told += 1 })
  })
  const client = new RawClient(port).say(get('/').repeat(10))
  await pause(50)
  client.socket.destroy()
  await pause(200)
  t.equal(told, 10)
})

await t.test('an answer that the client does not read ends its connection [attack:unread-answer]', async (t) => {
  const { port, connections } = await serve(t, (_request, response) => response.end(large))
  const client = connect(port, '127.0.0.1').on('error', () => undefined)
  t.teardown(() => client.destroy())
  client.pause().write(get('/'))
  t.ok(await until(() => connections.ended.unread === 1))
  t.ok(await until(() => [...connections.unanswered()].length === 0), 'it is not waited for')
})

await t.test('nor do requests that go on arriving keep an unread answer alive', async (t) => {
  const { port, connections } = await serve(t, (_request, response) => response.end(large))
  const client = connect(port, '127.0.0.1').on('error', () => undefined)
  t.teardown(() => client.destroy())
  client.pause().write(get('/'))
  const more = setInterval(() => client.write(get('/')), 50)
  t.ok(await until(() => connections.ended.unread + connections.ended.unanswered === 1))
  clearInterval(more)
})

await t.test('nor does a client that ends its half of the connection, and reads nothing', async (t) => {
  const { port, connections } = await serve(t, (_request, response) => response.end(large))
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined)
  t.teardown(() => client.destroy())
  client.pause().end(get('/'))
  t.ok(await until(() => connections.ended.unread === 1))
})

await t.test('a client that reads slowly hears all of it, and an answer that takes long is waited for', async (t) => {
  const { port, connections } = await serve(t, (request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end('at last'), bounds.unreadMs * 3)
    else response.end(large)
  })
  const waiting = new RawClient(port).say(get('/slow'))
  t.teardown(() => waiting.socket.destroy())
  t.match(await waiting.hears(/at last/), /^HTTP\/1\.1 200/)
  const reader = connect(port, '127.0.0.1')
  t.teardown(() => reader.destroy())
  let heardBytes = 0
  reader.on('data', (chunk: Buffer) => {
    heardBytes += chunk.length
    reader.pause()
    setTimeout(() => reader.resume(), 2)
  })
  const startedAt = performance.now()
  reader.write(get('/', 'Connection: close\r\n'))
  await once(reader, 'end')
  t.ok(heardBytes > large.length)
  t.ok(performance.now() - startedAt > bounds.unreadMs, 'it took longer than the client may pause')
  t.equal(connections.ended.unread, 0)
})

await t.test('one address holds so many connections and no more, others are served, and one that is closed makes room [attack:connections-of-one-address]', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { RATE_LIMIT: 'off', CONNECTIONS_PER_ADDRESS: '10' }, routes: (app) => { app.get('/things', () => ({})) } })
  const port = await listen(app)
  const statusFrom = async (localAddress: string): Promise<number | 'closed'> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => undefined)
    let heard = ''
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    socket.write(get('/things', 'Connection: close\r\n'))
    await new Promise((resolve) => socket.once('close', resolve))
    return heard === '' ? 'closed' : statusOf(heard)
  }
  const held = Array.from({ length: 10 }, () => connect(port, '127.0.0.1'))
  t.teardown(() => { for (const socket of held) socket.destroy() })
  await Promise.all(held.map((socket) => once(socket, 'connect')))
  t.equal(await statusFrom('127.0.0.1'), 'closed')
  t.equal(await statusFrom('127.0.0.2'), 200)
  held[0]?.destroy()
  await pause(50)
  t.equal(await statusFrom('127.0.0.1'), 200)
})

await t.test('the connections of a trusted proxy are those of all its clients, and are not bounded', async (t) => {
  const { app } = await buildHttpApp(t, { environment: { RATE_LIMIT: 'off', CONNECTIONS_PER_ADDRESS: '10', TRUST_PROXY: '127.0.0.0/30' }, routes: (app) => { app.get('/things', () => ({})) } })
  const port = await listen(app)
  const clients = Array.from({ length: 40 }, () => new RawClient(port).say(get('/things')))
  t.teardown(() => { for (const { socket } of clients) socket.destroy() })
  t.strictSame(new Set((await Promise.all(clients.map((client) => client.hearsAnswer()))).map(statusOf)), new Set([200]))
})

await t.test('what is no HTTP behind a request that waits is never answered in its place', async (t) => {
  const { app } = await buildHttpApp(t, {
    environment: { RATE_LIMIT: 'off' },
    routes(app) {
      app.get('/slow', async () => {
        await pause(300)
        return {}
      })
    },
  })
  const client = new RawClient(await listen(app)).say(`${get('/slow')}JUNK\r\n\r\n`)
  await client.closed
  t.equal(client.heard, '')
})

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import path from 'node:path'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { clients, enter, newPerson, type Tokens } from '../support/dialect-clients.js'
import { startDurableServer } from '../support/durable-server.js'
import { livingPostmaster, postmaster } from '../support/embedded.js'
import { RawClient, statusOf } from '../support/http.js'
import { watchLateness } from '../support/lateness.js'
import { startNodeProcess } from '../support/node-process.js'

const [logins, refreshes, verifications] = [40, 80, 80]
const exitMs = 10_000
const hashes = { ARGON2_MEMORY_KIB: '19456', ARGON2_TIME: '2', HASH_QUEUE: '200' }

const withBody = (path: string, body: object): string => {
  const text = JSON.stringify(body)
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
}

await t.test('a node that runs its own PostgreSQL', { timeout: 120_000 }, async (t) => {
  const server = await startDurableServer(t)
  const app = await startTestApp(t, { database: server.database, environment: hashes })
  const people = await Promise.all(Array.from({ length: 10 }, () => newPerson(app)))
  const sessions: Tokens[] = []
  for (let i = 0; i < refreshes; i += people.length) sessions.push(...(await Promise.all(people.map((person) => enter(app, 'directus', person)))))
  await app.close()
  await server.leave()
  const environment = { DATA_DIR: server.dataDir, PUBLIC_URL: app.config.publicUrl.href, ...hashes }
  const log = path.join(server.dataDir, 'postgres.log')
  const start = () => startNodeProcess(t, { environment })

  await t.test(`fault 14: SIGTERM with ${logins + refreshes + verifications} requests in flight: all are answered, and the database is stopped cleanly`, async (t) => {
    const node = await start()
    const lateness = watchLateness(t)
    const port = Number(new URL(node.url).port)
    const open = (count: number) => Array.from({ length: count }, () => new RawClient(port))
    const say = (some: readonly RawClient[], text: (index: number) => string) => { some.forEach((client, index) => client.say(text(index))) }
    const [verifying, refreshing, loggingIn] = [open(verifications), open(refreshes), open(logins)]

    // The logins wait for their hashes, the others for the rest of their own words.
    const verification = `GET /verify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${sessions[0]?.accessToken ?? ''}\r\n\r\n`
    const refresh = (index: number) => withBody('/auth/refresh', { refresh_token: sessions[index]?.refreshToken, mode: 'json' })
    const inTheMiddle = -20
    say(verifying, () => verification.slice(0, inTheMiddle))
    say(refreshing, (index) => refresh(index).slice(0, inTheMiddle))
    say(loggingIn, (index) => withBody('/api/v1/auth/login', { username: people[index % people.length]?.username, password: people[0]?.password }))
    while (!loggingIn.some(({ heard }) => heard !== '')) await pause(1)

    const exited = node.stop('SIGTERM')
    const stoppedAt = performance.now()
    while (!node.output().includes('"stopping"')) await pause(1)
    const answeredBefore = [...verifying, ...refreshing, ...loggingIn].filter(({ heard }) => heard !== '').length
    say(verifying, () => verification.slice(inTheMiddle))
    say(refreshing, (index) => refresh(index).slice(inTheMiddle))
    const statuses = async (some: readonly RawClient[]) => {
      await Promise.all(some.map(({ closed }) => closed))
      return tally(some.map(({ heard }) => statusOf(heard)))
    }
    const answers = { logins: await statuses(loggingIn), refreshes: await statuses(refreshing), verifications: await statuses(verifying) }
    t.equal(await exited, 0)
    const tookMs = performance.now() - stoppedAt

    t.ok(answeredBefore < logins / 2, 'they were in flight')
    t.same(answers.verifications, { 200: verifications })
    // On a machine that is busy with other things some have waited too long for their turn, and are told so.
    for (const { 200: yes = 0, 503: later = 0 } of [answers.logins, answers.refreshes]) t.ok(yes > 0 && later < yes)
    t.same(Object.keys({ ...answers.logins, ...answers.refreshes }).filter((status) => status !== '200' && status !== '503'), [], 'none is reset')
    t.ok(tookMs <= exitMs + lateness(), `exit within ${exitMs} ms`)
    t.equal(postmaster(server.dataDir), undefined, 'no server is left')
    t.match(readFileSync(log, 'utf8').trimEnd(), /database system is shut down$/)
    t.comment(`${logins + refreshes + verifications - answeredBefore} in flight, ${JSON.stringify(answers)}; exit after ${tookMs.toFixed(0)} ms`)
  })

  await t.test('fault 14: what was sent before the signal and not read yet is answered as well', async (t) => {
    const node = await start()
    const connect = () => Array.from({ length: 40 }, () => new RawClient(Number(new URL(node.url).port)))
    const known = connect()
    for (const client of known) client.say('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n')
    for (const client of known) await client.hearsAnswer()
    node.process.kill('SIGSTOP')
    const connections = [...known, ...connect()]
    for (const client of connections) client.say(`GET /verify HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${sessions[0]?.accessToken ?? ''}\r\n\r\n`)
    await pause(50) // they are in the node's hands
    const exited = node.stop('SIGTERM')
    node.process.kill('SIGCONT')
    await Promise.all(connections.map(({ closed }) => closed))
    const answers = connections.map(({ heard }) => heard.split('HTTP/1.1 200').length - 1)
    t.same(answers, connections.map((client) => (known.includes(client) ? 2 : 1)), 'on connections that the node has not taken yet, too')
    t.equal(await exited, 0)
  })

  await t.test('fault 15: the node is killed, its PostgreSQL orphaned: the next start adopts it', async (t) => {
    const killed = await start()
    const pid = livingPostmaster(server.dataDir)
    const [person = people[0]] = people
    const tokens = person && (await enter(killed, 'directus', person))
    await killed.stop('SIGKILL')
    t.equal(livingPostmaster(server.dataDir), pid, 'it runs on')
    const node = await start()
    t.equal(livingPostmaster(server.dataDir), pid, 'and is used again')
    t.equal((await clients.directus.refresh(node, tokens?.refreshToken ?? '')).status, 200)
    t.equal(await node.stop('SIGTERM'), 0)
    t.equal(postmaster(server.dataDir), undefined, 'who adopted it stops it')
  })
})

function tally(statuses: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { createTestDatabase } from '../support/database.js'
import { memoryMiBOf } from '../support/machine.js'
import { startNodeProcess } from '../support/node-process.js'
import { quantile } from '../support/statistics.js'

const attacks = {
  'the document': '/openapi.json',
  'a file of the page': '/docs/static/swagger-ui-bundle.js',
  'the document of the page': '/docs/yaml',
  'a path that is not there': '/nobody/is/here',
}

const connections = 20
/** What the answers of one connection took before there was a bound: 500 MiB. */
const mostMoreMiB = 160
const slowestMs = 2000

await t.test(`${connections} connections, 1,500 requests on each, no answer read: memory, open files and the others stay as they were [fault:pipelined-flood]`, { timeout: 180_000 }, async (t) => {
  const database = await createTestDatabase(t)
  const node = await startNodeProcess(t, { database, environment: { LOG_LEVEL: 'warn' } })
  const { port } = new URL(node.url)
  const pid = node.process.pid ?? 0
  const openFiles = (): number => readdirSync(`/proc/${pid}/fd`).length
  const isAlive = async (): Promise<number> => {
    const askedAt = performance.now()
    const { status } = await fetch(`${node.url}/health/live`)
    t.equal(status, 200)
    return performance.now() - askedAt
  }
  for (let i = 0; i < 20; i += 1) await isAlive()
  const before = { files: openFiles(), memoryMiB: memoryMiBOf(pid) }
  for (const [name, path] of Object.entries(attacks)) {
    const clients: Socket[] = Array.from({ length: connections }, () => {
      const client = connect(Number(port), '127.0.0.1').on('error', () => undefined)
      client.pause().write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(1500))
      return client
    })
    const tookMs: number[] = []
    let peakMiB = 0
    for (const endsAt = performance.now() + 3000; performance.now() < endsAt;) {
      tookMs.push(await isAlive())
      peakMiB = Math.max(peakMiB, memoryMiBOf(pid))
      await pause(50)
    }
    for (const client of clients) client.destroy()
    await pause(500)
    t.ok(peakMiB < before.memoryMiB + mostMoreMiB, `${name}: ${before.memoryMiB} MiB, and ${peakMiB} MiB at its peak`)
    t.ok(openFiles() <= before.files + 5, `${name}: ${before.files} open files, and ${openFiles()} after it`)
    t.ok(quantile(tookMs, 1) < slowestMs, `${name}: health answered within ${quantile(tookMs, 1).toFixed(0)} ms, ${quantile(tookMs, 0.5).toFixed(1)} ms at the median`)
  }
  t.equal(node.process.exitCode, null)
  const metrics = await (await fetch(`${node.url}/metrics`)).text()
  t.match(metrics, /^tessera_connections_ended_total\{reason="unanswered"\} [1-9]\d*$/m)
})

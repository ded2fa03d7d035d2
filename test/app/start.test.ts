import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { packageRoot } from '../../src/package-root.js'
import { startTestApp } from '../support/app.js'

await t.test('the service answers unknown paths with problem details', async (t) => {
  const { url } = await startTestApp(t)
  const response = await fetch(`${url}/nope?access_token=secret`)
  t.equal(response.status, 404)
  t.equal(response.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  t.notMatch(await response.text(), /secret/)
})

await t.test('a node with another master secret than the database was set up with does not start', async (t) => {
  const { database } = await startTestApp(t)
  await t.rejects(startTestApp(t, { database, environment: { MASTER_SECRET: 'quite another secret, of more than 32 bytes' } }), {
    message: /^MASTER_SECRET does not open the keys in this database/,
  })
})

await t.test('the master secret changes under two running nodes, and nobody is logged out', async (t) => {
  const first = await startTestApp(t)
  const secret = { MASTER_SECRET: 'the next master secret, of more than 32 bytes' }
  const previous = { MASTER_SECRET_PREVIOUS: first.config.masterSecret ?? '' }
  const second = await startTestApp(t, { database: first.database, environment: { ...secret, ...previous } })
  await second.close()
  const third = await startTestApp(t, { database: first.database, environment: secret })
  const kid = first.core.service.keyring.current('refresh').kid
  t.same(third.core.service.keyring.find('refresh', kid)?.secret, first.core.service.keyring.current('refresh').secret)
  await t.rejects(startTestApp(t, { database: first.database }), { message: /^MASTER_SECRET does not open/ }, 'the old secret is worth nothing once the change is over')
})

await t.test('npm start has a size for the pool of threads, and leaves one that is given', async (t) => {
  const { scripts } = JSON.parse(await readFile(path.join(packageRoot, 'package.json'), 'utf8')) as { scripts: { start: string } }
  // Not the service: its start would compile what the other tests run from.
  const shown = scripts.start.replace('node scripts/start.mjs', 'node -p process.env.UV_THREADPOOL_SIZE')
  const run = (environment: object) => execFileSync('sh', ['-c', shown], { env: { PATH: process.env.PATH, ...environment }, encoding: 'utf8' }).trim()
  t.equal(run({}), '32')
  t.equal(run({ UV_THREADPOOL_SIZE: 'two' }), 'two')
})

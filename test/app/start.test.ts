import { spawnSync } from 'node:child_process'
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

await t.test('npm start passes the environment on as it is, and judges it', (t) => {
  const { status, stderr } = spawnSync('npm', ['-s', 'start'], { cwd: packageRoot, encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: 'two' } })
  t.equal(status, 1)
  t.equal(stderr, 'tessera: UV_THREADPOOL_SIZE must be a whole number from 1 to 1024 (it is "two")\n')
  t.end()
})

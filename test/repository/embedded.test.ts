import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { superuser } from '../../src/repository/embedded/cluster.js'
import { layoutOf } from '../../src/repository/embedded/layout.js'
import { ask, end, join, livingPostmaster, member, memberScript, postmaster, privateFolder } from '../support/embedded.js'

t.setTimeout(900_000) // many starts, on machines of any speed

await t.test('a first start makes a database, a later one finds it again', async (t) => {
  const dataDir = privateFolder(t)
  const first = await join(dataDir, {}, { serverSettings: {} })
  t.match(first, { adopted: false, firstStart: true })
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) t.same(await ask(first.connectionString, `show ${setting}`), ['on'])
  t.same(await ask(first.connectionString, 'show deadlock_timeout'), ['200ms'], 'below our lock_timeout')
  t.same(await ask(first.connectionString, 'show server_encoding'), ['UTF8'])
  t.same(await ask(first.connectionString, 'select datcollate from pg_database where datname = current_database()'), ['C'])
  t.same(await ask(first.connectionString, `select datlocale from pg_database where datname = current_database()`), ['C.UTF-8'])
  t.same(await ask(first.connectionString, 'show listen_addresses'), ['127.0.0.1'])
  t.same(await ask(first.connectionString, 'select rolsuper from pg_roles where rolname = current_user'), [false])
  await ask(first.connectionString, 'create table kept as select 42 as answer')
  t.equal(statSync(path.join(dataDir, 'postgres-password')).mode & 0o777, 0o600)
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  await first.leave()
  t.equal(postmaster(dataDir), undefined, 'the last user stops the server')

  const second = await join(dataDir, {}, { serverSettings: {} })
  t.match(second, { adopted: false, firstStart: false })
  t.same(await ask(second.connectionString, 'select answer from kept'), [42])
  await second.leave()
})

await t.test('a wrong password does not get in', async (t) => {
  const server = await join(privateFolder(t))
  const url = new URL(server.connectionString)
  url.password = 'guess'
  await t.rejects(ask(url.href, 'select 1'), { code: '28P01' })
  url.username = 'postgres'
  url.password = new URL(server.connectionString).password
  await t.rejects(ask(url.href, 'select 1'), { code: '28P01' }, 'the password of the service is not that of the superuser')
  await server.leave()
})

await t.test('what people send does not reach the server log', async (t) => {
  const dataDir = privateFolder(t)
  const server = await join(dataDir)
  await ask(server.connectionString, 'create table secrets (secret text unique)')
  await ask(server.connectionString, `insert into secrets values ('hunter2')`)
  await t.rejects(ask(server.connectionString, `insert into secrets values ('hunter2')`), { code: '23505' })
  await t.rejects(ask(server.connectionString, `select 'hunter2' from`), { code: '42601' })
  await server.leave()
  const log = readFileSync(path.join(dataDir, 'postgres.log'), 'utf8')
  t.match(log, /duplicate key value/)
  t.notMatch(log, /hunter2/)
})

await t.test('two checkouts side by side have a server each', async (t) => {
  const servers = await Promise.all([join(privateFolder(t)), join(privateFolder(t))])
  const ports = servers.map(({ connectionString }) => new URL(connectionString).port)
  t.not(ports[0], ports[1])
  await Promise.all(servers.map((server) => server.leave()))
})

await t.test('of two users the last one stops the server', async (t) => {
  const dataDir = privateFolder(t)
  const service = await join(dataDir)
  const cli = await member(t, dataDir)
  t.match(cli.said, { adopted: true, firstStart: false, connectionString: service.connectionString })
  await service.leave()
  t.same(await ask(service.connectionString, 'select 1'), [1], 'the other one still uses it')
  await end(cli.process, 'SIGTERM')
  t.equal(postmaster(dataDir), undefined)
})

await t.test('users that start at the same moment on an empty folder share one server', async (t) => {
  const dataDir = privateFolder(t)
  const [first, ...others] = await Promise.all([1, 2, 3].map(() => member(t, dataDir)))
  t.strictSame(others.map(({ said }) => said.connectionString), [first?.said.connectionString, first?.said.connectionString])
  const all = [first, ...others]
  t.equal(all.filter((one) => one?.said.firstStart).length, 1, 'one made the database')
  t.equal(all.filter((one) => one?.said.adopted === false).length, 1, 'one started the server')
  for (const one of all) if (one !== undefined) await end(one.process, 'SIGTERM')
  t.equal(postmaster(dataDir), undefined)
})

await t.test('users may come while the last one leaves', async (t) => {
  const dataDir = privateFolder(t)
  let current = await join(dataDir)
  for (let round = 0; round < 8; round += 1) {
    const [next, other] = await Promise.all([join(dataDir), sleep(round * 4).then(() => join(dataDir)), current.leave()])
    t.same(await ask(next.connectionString, 'select 1'), [1])
    await Promise.all([next.leave(), other.leave()])
    current = await join(dataDir)
  }
  await current.leave()
  t.equal(postmaster(dataDir), undefined)
})

await t.test('members that come at once close the database of the locks to strangers, and none of them fails', async (t) => {
  const dataDir = privateFolder(t)
  const first = await join(dataDir)
  const asSuperuser = new URL(first.connectionString)
  asSuperuser.username = superuser
  asSuperuser.password = readFileSync(path.join(dataDir, 'postgres-password'), 'utf8').trim()
  asSuperuser.pathname = '/postgres'
  for (let round = 0; round < 5; round += 1) {
    await ask(asSuperuser.href, 'grant connect on database postgres to public')
    const members = await Promise.all(Array.from({ length: 8 }, () => join(dataDir)))
    t.same(await ask(asSuperuser.href, `select has_database_privilege('public', 'postgres', 'connect')`), [false])
    for (const member of members) await member.leave()
  }
  await first.leave()
})

await t.test('the server is in no process group of ours', async (t) => {
  const dataDir = privateFolder(t)
  const server = await join(dataDir)
  const groupOf = (pid: number) => spawnSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
  const pid = livingPostmaster(dataDir)
  t.equal(groupOf(pid), String(pid))
  await server.leave()
})

await t.test('fault 15: a server that a killed process left over is adopted', async (t) => {
  const dataDir = privateFolder(t)
  const killed = await member(t, dataDir)
  t.match(killed.said, { adopted: false, firstStart: true })
  const pid = livingPostmaster(dataDir)
  await end(killed.process, 'SIGKILL')
  const server = await join(dataDir)
  t.match(server, { adopted: true, firstStart: false, connectionString: killed.said.connectionString })
  t.equal(livingPostmaster(dataDir), pid)
  await server.leave()
  t.equal(postmaster(dataDir), undefined)
})

await t.test('a killed server comes back within 5 s, on its port, with all that was committed', async (t) => {
  const dataDir = privateFolder(t)
  const said: string[] = []
  const server = await join(dataDir, {}, { serverSettings: {}, log: (message) => said.push(message) })
  const pool = new pg.Pool({ connectionString: server.connectionString })
  pool.on('error', () => undefined)
  await pool.query('create table acknowledged (round integer)')
  const outagesMs: number[] = []
  for (let round = 1; round <= 3; round += 1) {
    await pool.query('insert into acknowledged values ($1)', [round])
    const killed = livingPostmaster(dataDir)
    process.kill(killed, 'SIGKILL')
    const killedAt = Date.now()
    while (postmaster(dataDir)?.pid === killed) await sleep(5)
    let rows: unknown[] | undefined
    while (rows === undefined) {
      rows = await pool.query<{ round: number }>('select round from acknowledged').then((found) => found.rows, () => undefined)
      await sleep(5)
    }
    outagesMs.push(Date.now() - killedAt)
    t.equal(rows.length, round)
  }
  // One, since the machine may be busy with the rest of the suite.
  t.ok(Math.min(...outagesMs) < 5_000, `back after ${outagesMs.join(', ')} ms`)
  t.match(said.join('\n'), /gone: starting it again[^]*is back/)
  await pool.end()
  await server.leave()
  t.equal(postmaster(dataDir), undefined, 'who brought it back can still stop it')
})

await t.test('a lock file that names some other process by now does not keep the server down', async (t) => {
  const dataDir = privateFolder(t)
  const killed = await member(t, dataDir)
  const file = path.join(layoutOf(dataDir).cluster, 'postmaster.pid')
  const pid = livingPostmaster(dataDir)
  await end(killed.process, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(process.pid)))
  const server = await join(dataDir)
  t.same(await ask(server.connectionString, 'select 1'), [1])
  await server.leave()
})

await t.test('nor does one that names the server of another checkout', async (t) => {
  const [dataDir, otherDir] = [privateFolder(t), privateFolder(t)]
  const [killed, other] = await Promise.all([member(t, dataDir), join(otherDir)])
  const file = path.join(layoutOf(dataDir).cluster, 'postmaster.pid')
  const pid = livingPostmaster(dataDir)
  await end(killed.process, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(livingPostmaster(otherDir))))
  const server = await join(dataDir)
  t.same(await ask(server.connectionString, 'select 1'), [1])
  await server.leave()
  t.same(await ask(other.connectionString, 'select 1'), [1])
  await other.leave()
})

await t.test('a database that is taken away is not replaced by an empty one', async (t) => {
  const dataDir = privateFolder(t)
  const said: string[] = []
  const server = await join(dataDir, {}, { log: (message) => said.push(message) })
  const { cluster } = layoutOf(dataDir)
  const pid = livingPostmaster(dataDir)
  renameSync(cluster, `${cluster}.away`)
  process.kill(pid, 'SIGKILL')
  while (!said.some((message) => message.endsWith('is gone: bring it back.'))) await sleep(10)
  t.notOk(existsSync(cluster))
  renameSync(`${cluster}.away`, cluster)
  while (!said.some((message) => message.endsWith('is back'))) await sleep(10)
  t.same(await ask(server.connectionString, 'select 1'), [1])

  const secondPid = livingPostmaster(dataDir)
  renameSync(cluster, `${cluster}.away`)
  process.kill(secondPid, 'SIGKILL')
  const startedAt = Date.now()
  await server.leave()
  t.ok(Date.now() - startedAt < 10_000, 'who waits for it can leave')
})

await t.test('a process killed while it makes the database leaves nothing in the way', async (t) => {
  const dataDir = privateFolder(t)
  const starting = spawn(process.execPath, [memberScript, dataDir], { stdio: 'ignore' })
  const namesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder) : [])
  const isAtIt = () => namesIn(layoutOf(dataDir).home).some((name) => name.startsWith('postgres.new-'))
  while (!isAtIt()) await sleep(5)
  await end(starting, 'SIGKILL')
  t.notOk(existsSync(layoutOf(dataDir).cluster), 'half a database never stands in its place')
  const server = await join(dataDir)
  t.equal(server.firstStart, true)
  await server.leave()
})

await t.test('a paused server does not hold up a process that ends', async (t) => {
  const dataDir = privateFolder(t)
  const server = await join(dataDir)
  const pid = livingPostmaster(dataDir)
  const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout.trim().split(/\s+/).map(Number)
  for (const one of [pid, ...children]) process.kill(one, 'SIGSTOP')
  const startedAt = Date.now()
  await server.leave()
  t.ok(Date.now() - startedAt < 8_000)
  for (const one of [pid, ...children]) process.kill(one, 'SIGCONT')
})

import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config/index.js'
import { openDatabase } from '../../src/database.js'
import { layoutOf } from '../../src/repository/embedded/layout.js'
import { password, send } from '../support/account.js'
import { startTestApp, testEnvironment } from '../support/app.js'
import { createTestDatabase } from '../support/database.js'
import { ask, join, privateFolder } from '../support/embedded.js'
import { rowsOf, withClient } from '../support/roles.js'

/** What a start says when it cannot use the database. */
async function obstacle(url: string, environment: Record<string, string> = {}): Promise<string> {
  const config = readConfig({ ...testEnvironment, DATABASE_URL: url, ...environment })
  try {
    const access = await openDatabase(config, () => undefined, 0)
    await access.leave()
    return 'none'
  } catch (error) {
    return error instanceof Error && error.name === 'DatabaseError' ? error.message : `a stack: ${String(error)}`
  }
}

const superuserUrl = (database: string): string => {
  const url = new URL(process.env.TESSERA_TEST_SUPERUSER_URL ?? '')
  url.pathname = `/${database}`
  return url.href
}
const asSuperuser = (sql: string, database = 'postgres') => withClient(superuserUrl(database), (client) => rowsOf(client, sql))

const formats = {
  datestyle: 'German', intervalstyle: 'sql_standard', timezone: 'Pacific/Chatham', bytea_output: 'escape', extra_float_digits: '-15',
  standard_conforming_strings: 'off', transform_null_equals: 'on', quote_all_identifiers: 'on', default_transaction_isolation: 'serializable', client_encoding: 'LATIN1', lc_messages: 'C',
}

await t.test('formats that a database is set to change nothing: logins, refreshes and readiness work [fault:formats-of-the-database]', async (t) => {
  const database = await createTestDatabase(t)
  const name = new URL(database.connectionString).pathname.slice(1)
  for (const [setting, value] of Object.entries(formats)) await asSuperuser(`ALTER DATABASE ${name} SET ${setting} = '${value}'`)
  const node = await startTestApp(t, { database })
  await node.createUser({ username: 'jane', password, pin: '4711' })
  const login = async (secret: string) => send(node, { method: 'POST', path: '/api/v1/auth/login', body: { username: 'jane', password: secret } })
  t.equal((await login('wrong')).status, 401)
  const right = await login(password)
  t.equal(right.status, 200)
  const { token, refreshToken } = right.body as { token: string; refreshToken: string }
  t.equal((await send(node, { path: '/users/me', token })).status, 200)
  t.equal((await send(node, { method: 'POST', path: '/api/v1/auth/refresh', body: { refreshToken } })).status, 200)
  t.equal((await send(node, { path: '/health/ready' })).status, 200)
  t.equal((await send(node, { method: 'POST', path: '/api/v1/auth/logout', token })).status, 200)
})

await t.test('behind a pooler, which takes no formats, a start names the format and the cure', async (t) => {
  const { connectionString } = await createTestDatabase(t)
  await asSuperuser(`ALTER DATABASE ${new URL(connectionString).pathname.slice(1)} SET datestyle = 'German'`)
  const direct = `${connectionString}&connect_timeout=3`
  t.match(await obstacle(connectionString, { DATABASE_LISTEN_URL: direct }), /^the sessions of the pooler at \S+ have the DateStyle German[^\n]+ALTER ROLE … SET datestyle = 'ISO'/)
})

await t.test('a database of another encoding, and one that takes no writes, are named with the cure [fault:wrong-database]', async (t) => {
  const name = `latin_${process.pid}`
  await asSuperuser(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
  t.teardown(() => asSuperuser(`DROP DATABASE ${name}`))
  t.match(await obstacle(superuserUrl(name)), /^the database latin_\d+ at \S+ has the encoding LATIN1[^\n]+CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0[^\n]+$/)

  const { connectionString } = await createTestDatabase(t)
  await asSuperuser(`ALTER DATABASE ${new URL(connectionString).pathname.slice(1)} SET default_transaction_read_only = on`)
  t.match(await obstacle(connectionString), /takes no writes \(default_transaction_read_only is on\)/)

  const missing = new URL(connectionString)
  missing.pathname = '/no_such_database'
  t.match(await obstacle(missing.href), /\(3D000: there is no such database\): create it, or correct the name in DATABASE_URL/)
  const other = new URL(connectionString)
  other.password = 'wrong'
  t.match(await obstacle(other.href), /\(28P01\): check user, password and database name in DATABASE_URL$/)
})

await t.test('a port where something else answers, or nothing, is named [fault:wrong-database]', async (t) => {
  const web = createServer((_request, response) => response.end('hello'))
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { web.close() })
  const address = web.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  t.match(await obstacle(`postgresql://u:secret-word@127.0.0.1:${port}/d`), /^cannot use PostgreSQL at 127\.0\.0\.1:\d+\/d \(what answers there does not speak as PostgreSQL does\): check that it runs and that DATABASE_URL is right$/)
  t.match(await obstacle('postgresql://u:secret-word@127.0.0.1:1/d'), /\(ECONNREFUSED\): check that it runs/)
  t.match(await obstacle('postgresql://u:secret-word@no-such-host.invalid/d'), /^cannot use PostgreSQL at no-such-host\.invalid:5432\/d \((ENOTFOUND: there is no such host|EAI_AGAIN)\)/)
})

/** An authority and a certificate by it for `localhost`. */
function certificates(t: Test): { folder: string; authority: string; stranger: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'tessera-tls-'))
  chmodSync(folder, 0o711)
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const openssl = (...args: string[]) => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  }
  writeFileSync(path.join(folder, 'names'), 'subjectAltName=DNS:localhost')
  for (const name of ['authority', 'stranger']) openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`, '-days', '2')
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
  openssl('x509', '-req', '-in', 'server.csr', '-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-out', 'server.pem', '-days', '2', '-extfile', 'names')
  return { folder, authority: path.join(folder, 'authority.pem'), stranger: path.join(folder, 'stranger.pem') }
}

await t.test('a server that takes TLS only: each thing that can be wrong with it is named, and verify-full works [fault:tls-of-the-database]', { skip: spawnSync('openssl', ['version']).status === 0 ? false : 'there is no openssl here' }, async (t) => {
  const { folder, authority, stranger } = certificates(t)
  const dataDir = privateFolder(t)
  const server = await join(dataDir)
  const { cluster } = layoutOf(dataDir)
  for (const name of ['server.key', 'server.pem']) {
    writeFileSync(path.join(cluster, name), readFileSync(path.join(folder, name)), { mode: 0o600 })
    chownSync(path.join(cluster, name), statSync(cluster).uid, statSync(cluster).gid)
  }
  const admin = new URL(server.connectionString)
  admin.username = 'postgres'
  admin.password = readFileSync(layoutOf(dataDir).secret, 'utf8').trim()
  const url = (host: string, query: string): string => {
    const made = new URL(server.connectionString)
    made.hostname = host
    made.search = query
    return made.href
  }
  t.match(await obstacle(url('localhost', 'sslmode=verify-full')), /\(it has no TLS\): switch TLS on there, or write sslmode=disable in DATABASE_URL$/)

  for (const sql of [`ALTER SYSTEM SET ssl_cert_file = 'server.pem'`, `ALTER SYSTEM SET ssl_key_file = 'server.key'`, 'ALTER SYSTEM SET ssl = on']) await ask(admin.href, sql)
  writeFileSync(path.join(cluster, 'pg_hba.conf'), 'hostssl all tessera all scram-sha-256\nhost all postgres all scram-sha-256\n')
  await ask(admin.href, 'SELECT pg_reload_conf()')
  const startedAt = Date.now()
  while ((await obstacle(url('localhost', `sslmode=verify-full&sslrootcert=${authority}`))) !== 'none') if (Date.now() - startedAt > 10_000) break

  t.equal(await obstacle(url('localhost', `sslmode=verify-full&sslrootcert=${authority}`)), 'none', 'as docs/operations.md has it')
  t.equal(await obstacle(url('127.0.0.1', `sslmode=verify-ca&sslrootcert=${authority}`)), 'none')
  t.equal(await obstacle(url('127.0.0.1', 'sslmode=no-verify')), 'none')
  t.match(await obstacle(url('localhost', 'sslmode=disable')), /\(28000: it takes no connection without TLS from here\): add sslmode=verify-full to DATABASE_URL/)
  t.match(await obstacle(url('localhost', '')), /it takes no connection without TLS from here/)
  for (const query of ['sslmode=verify-full', `sslmode=verify-full&sslrootcert=${stranger}`, 'sslmode=require']) {
    t.match(await obstacle(url('localhost', query)), /its certificate comes from an authority that is not known here\): add sslrootcert=FILE with the certificate of that authority/, query)
  }
  t.match(await obstacle(url('127.0.0.1', `sslmode=verify-full&sslrootcert=${authority}`)), /its certificate is for another name\): name the host as the certificate does/)
})

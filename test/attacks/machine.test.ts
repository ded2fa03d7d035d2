import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config/index.js'
import { joinEmbeddedServer, onlyByScram } from '../../src/repository/embedded/index.js'
import { requireOwn } from '../../src/repository/embedded/ownership.js'
import { Client } from '../../src/repository/client.js'
import { testEnvironment } from '../support/app.js'

const secret = 'tr0ub4dor'

/** What a refused configuration says. */
function refusal(environment: Record<string, string>): string {
  try {
    readConfig({ ...testEnvironment, ...environment })
    return 'accepted'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

void t.test('a raw password in a URL is refused at the start, and no piece of it is repeated [attack:raw-password-in-a-url]', (t) => {
  const specials = ['/', '@', '#', '?', '%', ' ', '[', '\\', '"', '{', 'é', '/@', '?x=', '%ff', '1/']
  for (const name of ['DATABASE_URL', 'DATABASE_LISTEN_URL', 'MIGRATION_DATABASE_URL', 'REDIS_URL']) {
    for (const special of specials) {
      for (const password of [`${special}${secret}`, `${secret}${special}`, `12${special}${secret}`]) {
        const url = name === 'REDIS_URL' ? `redis://u:${password}@cache:6379/0` : `postgresql://u:${password}@db.example:5432/d`
        const line = refusal({ DATABASE_URL: 'postgresql://u@db.example/d', [name]: url })
        t.match(line, new RegExp(`^${name} must be a URL such as [^\\n]+percent-encode`), `${name} with ${JSON.stringify(password)}`)
        if (name.startsWith('DATABASE')) t.match(line, /DATABASE_PASSWORD$/)
        t.notMatch(line, secret)
      }
    }
    const right = name === 'REDIS_URL' ? `redis://u:${encodeURIComponent(`/@#?% ${secret}`)}@cache:6379/0` : `postgresql://u:${encodeURIComponent(`/@#?% ${secret}`)}@db.example:5432/d?sslmode=disable`
    t.equal(refusal({ DATABASE_URL: 'postgresql://u@db.example/d', [name]: right }), 'accepted', name)
  }
  t.end()
})

void t.test('a parameter of a database URL that nobody reads, or that says nothing, is refused', (t) => {
  const url = (query: string) => refusal({ DATABASE_URL: `postgresql://u@db.example/d?${query}` })
  for (const query of ['sslmod=verify-full', 'ssl_mode=require', 'password2=x']) t.match(url(query), /^DATABASE_URL must be a URL whose parameters/, query)
  for (const query of ['sslmode=verify', 'sslmode=', 'sslmode=on']) t.match(url(query), /^DATABASE_URL must be a URL with an sslmode that is one of disable,/, query)
  t.match(url('sslrootcert=/nowhere/ca.pem'), /^DATABASE_URL must be a URL whose sslrootcert names a file that can be read/)
  t.match(url('require_auth=scram'), /^DATABASE_URL must be a URL with a require_auth/)
  for (const query of ['sslmode=verify-full', 'application_name=x&connect_timeout=3', 'sslmode=no-verify', 'options=-c%20search_path%3Dx']) t.equal(url(query), 'accepted', query)
  t.end()
})

/** A message of the protocol. */
function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
const authentication = (kind: number, rest = Buffer.alloc(0)) => {
  const body = Buffer.alloc(4)
  body.writeInt32BE(kind)
  return message('R', Buffer.concat([body, rest]))
}
const ready = message('Z', Buffer.from('I'))
const scram = authentication(10, Buffer.from('SCRAM-SHA-256\0\0'))

/** Somebody who has taken the port of a database. @returns the URL, and all that was heard there */
async function impostor(t: Test, ...answers: Buffer[]): Promise<{ url: string; heard: () => string }> {
  const chunks: Buffer[] = []
  const server = createServer((socket) => {
    const rest = [...answers]
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const next = rest.shift()
      if (next !== undefined) socket.write(next)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => { server.close() })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { url: `postgres://tessera:${secret}@127.0.0.1:${port}/tessera?sslmode=disable`, heard: () => Buffer.concat(chunks).toString('latin1') }
}

/** Connects as the service does, and says something secret when it is let in. */
async function speakTo(url: string): Promise<unknown> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 1000, query_timeout: 500 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(`create role x password 'said-in-confidence'`)
    return 'let in'
  } catch (error) {
    return error
  } finally {
    client.connection.stream.destroy()
  }
}

const tricks = {
  'asks for the password in clear text': [authentication(3), Buffer.concat([authentication(0), ready])],
  'asks for an MD5 hash': [authentication(5, Buffer.from('salt')), Buffer.concat([authentication(0), ready])],
  'asks for nothing': [Buffer.concat([authentication(0), ready])],
  'is ready without a word': [ready],
  'asks for SCRAM and accepts before it has proved anything': [scram, Buffer.concat([authentication(0), ready])],
  'asks for SCRAM and then for clear text': [scram, authentication(3), Buffer.concat([authentication(0), ready])],
} satisfies Record<string, Buffer[]>

for (const [trick, answers] of Object.entries(tricks)) {
  await t.test(`whoever has taken the port of the embedded server ${trick}: it hears no password and no statement [attack:port-of-the-database-taken]`, async (t) => {
    const { url, heard } = await impostor(t, ...answers)
    t.type(await speakTo(onlyByScram(url)), Error)
    t.notMatch(heard(), secret)
    t.notMatch(heard(), /said-in-confidence|md5[0-9a-f]{32}/)
  })
}

await t.test('an external server gets no password in clear text without TLS, unless the URL says so', async (t) => {
  const clear = tricks['asks for the password in clear text']
  const { url, heard } = await impostor(t, ...clear)
  t.match(await speakTo(url), { name: 'UntrustedServerError', message: 'the server asks for the password in clear text' })
  t.notMatch(heard(), secret)
  const wanted = await impostor(t, ...clear)
  await speakTo(`${wanted.url}&require_auth=password`)
  t.match(wanted.heard(), secret, 'an explicit choice')
})

/** A folder that other users cannot write to, with a data directory in it. */
function dataFolder(t: Test, parentMode = 0o755): string {
  const parent = mkdtempSync(path.join(tmpdir(), 'tessera-owner-'))
  t.teardown(() => { rmSync(parent, { recursive: true, force: true }) })
  chmodSync(parent, parentMode)
  const dataDir = path.join(parent, 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  return dataDir
}

const skip = process.getuid?.() === 0 ? false : 'only root can give files away'
const stranger = 12_345

await t.test('a data directory that another user prepared is refused in one line [attack:data-dir-of-another-user]', { skip }, async (t) => {
  const refused = (file: string) => ({ name: 'EmbeddedServerError', message: new RegExp(`^${file} belongs to user ${stranger}, [^\\n]+chown[^\\n]+DATA_DIR`) })
  const inTmp = dataFolder(t, 0o1777)
  chownSync(inTmp, stranger, stranger)
  await t.rejects(requireOwn(inTmp), refused(inTmp))
  writeFileSync(path.join(inTmp, 'master-secret'), secret)
  await t.rejects(joinEmbeddedServer({ dataDir: inTmp, log: () => undefined }), refused(inTmp), 'a start')
  t.same(readdirSync(inTmp), ['master-secret'], 'nothing was made there')

  for (const name of ['master-secret', 'postgres-password', 'postgres-location']) {
    const dataDir = dataFolder(t)
    const file = path.join(dataDir, name)
    writeFileSync(file, secret, { mode: 0o600 })
    await requireOwn(dataDir)
    chownSync(file, stranger, stranger)
    await t.rejects(requireOwn(dataDir), refused(file), name)
  }
  const theirs = dataFolder(t, 0o1777)
  chownSync(theirs, stranger, stranger)
  const link = path.join(path.dirname(theirs), 'link')
  symlinkSync(theirs, link)
  await t.rejects(requireOwn(link), refused(link), 'through a link of our own')

  const ours = dataFolder(t)
  symlinkSync(path.join(theirs, 'planted'), path.join(ours, 'master-secret'))
  writeFileSync(path.join(theirs, 'planted'), secret)
  chownSync(path.join(theirs, 'planted'), stranger, stranger)
  await t.rejects(requireOwn(ours), { message: new RegExp(`belongs to user ${stranger}`) }, 'a secret that is a link')
})

await t.test('a data directory, or a secret in it, that others can write to is refused in one line', async (t) => {
  for (const mode of [0o777, 0o775, 0o722, 0o1777]) {
    const dataDir = dataFolder(t)
    chmodSync(dataDir, mode)
    await t.rejects(requireOwn(dataDir), { message: /^[^\n]+ can be written to by other users[^\n]+chmod go-w[^\n]+DATA_DIR/ }, mode.toString(8))
  }
  const dataDir = dataFolder(t)
  writeFileSync(path.join(dataDir, 'master-secret'), secret)
  chmodSync(path.join(dataDir, 'master-secret'), 0o666)
  await t.rejects(requireOwn(dataDir), { message: /master-secret can be written to by other users/ })
})

await t.test('root starts in a folder that root made for another user: PostgreSQL runs as that user', { skip }, async (t) => {
  const dataDir = dataFolder(t)
  chownSync(dataDir, stranger, stranger)
  writeFileSync(path.join(dataDir, 'master-secret'), secret, { mode: 0o600 })
  chownSync(path.join(dataDir, 'master-secret'), stranger, stranger)
  await t.resolves(requireOwn(dataDir))
})

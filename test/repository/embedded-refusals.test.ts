import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { findBinaries } from '../../src/repository/embedded/binaries.js'
import { join, privateFolder, refusal } from '../support/embedded.js'

t.setTimeout(900_000) // many starts, on machines of any speed

await t.test('a data directory that is no folder is refused', async (t) => {
  const dataDir = privateFolder(t)
  writeFileSync(dataDir, 'a file')
  await refusal(t, join(dataDir), /cannot be written to/, /DATA_DIR/)
  t.equal(readFileSync(dataDir, 'utf8'), 'a file')
  rmSync(dataDir)
})

await t.test('a database of another major version is refused and left as it is', async (t) => {
  const dataDir = privateFolder(t)
  const cluster = path.join(dataDir, 'postgres')
  mkdirSync(cluster, { recursive: true })
  writeFileSync(path.join(cluster, 'PG_VERSION'), '12\n')
  await refusal(t, join(dataDir), /was made by PostgreSQL 12/, /DATA_DIR/)
  t.strictSame(readdirSync(dataDir), ['postgres'])
  t.strictSame(readdirSync(cluster), ['PG_VERSION'])
})

await t.test('a folder with something else in it is refused and left as it is', async (t) => {
  const dataDir = privateFolder(t)
  mkdirSync(path.join(dataDir, 'postgres/holiday'), { recursive: true })
  await refusal(t, join(dataDir), /not a PostgreSQL database/, /move it away/)
  t.strictSame(readdirSync(path.join(dataDir, 'postgres')), ['holiday'])
})

await t.test('a lost password file is named', async (t) => {
  const dataDir = privateFolder(t)
  await (await join(dataDir)).leave()
  const file = path.join(dataDir, 'postgres-password')
  const secret = readFileSync(file, 'utf8')
  rmSync(file)
  await refusal(t, join(dataDir), /postgres-password is missing/, /put it back/)
  writeFileSync(file, 'another')
  await refusal(t, join(dataDir), /refuses the password/, /put back/)
  writeFileSync(file, secret)
  await (await join(dataDir)).leave()
})

await t.test('a server that does not start is quoted', async (t) => {
  const dataDir = privateFolder(t)
  const attempt = join(dataDir, {}, { serverSettings: { fsync: 'off', max_connections: 'many' } })
  await refusal(t, attempt, /does not start/, /invalid value for parameter "max_connections": "many"/)
})

await t.test('a platform without programs is sent to DATABASE_URL', async (t) => {
  await refusal(t, Promise.resolve().then(() => findBinaries('sunos-sparc')), /no embedded PostgreSQL for sunos-sparc/, /DATABASE_URL/)
})

await t.test('programs that do not run here are quoted', async (t) => {
  const dataDir = privateFolder(t)
  const folder = path.join(path.dirname(dataDir), 'package/native')
  mkdirSync(dataDir, { mode: 0o711 })
  mkdirSync(path.join(folder, 'bin'), { recursive: true })
  writeFileSync(path.join(folder, 'pg-symlinks.json'), '[]')
  writeFileSync(path.join(folder, 'bin/postgres'), '#!/bin/sh\necho "wrong ELF class" >&2; exit 1\n', { mode: 0o755 })
  await refusal(
    t,
    join(dataDir, { binaries: { ...findBinaries(), folder } }),
    /cannot be run on this machine/,
    /wrong ELF class/,
    /DATABASE_URL/,
  )
})

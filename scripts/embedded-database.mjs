// `node scripts/embedded-database.mjs COMMAND …`: runs a client of PostgreSQL, such as `pg_dump` or `psql`, on the embedded
// database, which is started for it if need be. Where and as whom is in the environment, as every client reads it:
// no password on a command line.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { compile } from './compile.mjs'

const [command, ...args] = process.argv.slice(2)
try {
  process.exitCode = await main()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

async function main() {
  if (command === undefined) {
    console.error('Usage: node scripts/embedded-database.mjs COMMAND …, such as: pg_dump --format=custom --file=tessera.dump')
    return 2
  }
  await compile()
  const { readConfig } = await import('../dist/src/config/index.js')
  const { joinEmbeddedServer } = await import('../dist/src/repository/embedded/index.js')
  const config = readConfig(process.env)
  if (config.databaseUrl !== null) throw new Error('DATABASE_URL is set: that database is not the embedded one')
  const server = await joinEmbeddedServer({ dataDir: config.dataDir, log: console.error })
  try {
    return await run(new URL(server.connectionString))
  } finally {
    await server.leave()
  }
}

/**
 * @param {URL} url
 * @returns {Promise<number>} the exit status
 */
async function run(url) {
  const place = {
    PGHOST: url.hostname,
    PGPORT: url.port,
    PGUSER: decodeURIComponent(url.username),
    PGPASSWORD: decodeURIComponent(url.password),
    PGDATABASE: decodeURIComponent(url.pathname.slice(1)),
    PGSSLMODE: 'disable',
  }
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...place } })
  // A signal ends the command, not us: our place at the server is given up after it. Ctrl-C reaches it by itself.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  const [status] = await once(child, 'exit')
  return status ?? 1
}

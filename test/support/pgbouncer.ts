import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.js'
import { untilListening } from './listening.js'

/** For tap's option `skip`. */
export const skipWithoutPgBouncer: string | false = spawnSync('pgbouncer', ['--version']).status === 0 ? false : 'needs pgbouncer, which is not installed'

/** As a configuration file of PgBouncer quotes a value. */
const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`

/**
 * PgBouncer in transaction mode, as it comes: prepared statements and parameters at the start of a session are refused.
 * @param direct the URL of the database
 * @param connections how many it keeps to it
 * @returns the URL of the same database, through the pooler
 */
export async function startPgBouncer(t: Test, direct: string, connections: number): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-pgbouncer-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  const { hostname, port: serverPort, username, password, pathname } = new URL(direct)
  const database = decodeURIComponent(pathname.slice(1))
  const target = { host: hostname, port: serverPort, dbname: database, user: decodeURIComponent(username), password: decodeURIComponent(password) }
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'any',
    pool_mode: 'transaction',
    default_pool_size: connections,
    ...(process.getuid?.() === 0 ? { user: 'nobody' } : {}), // it refuses to run as root
  }
  await writeFile(
    `${folder}/pgbouncer.ini`,
    [
      '[databases]',
      `${database} = ${Object.entries(target).map(([name, value]) => `${name}=${quoted(value)}`).join(' ')}`,
      '[pgbouncer]',
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
      '',
    ].join('\n'),
    { mode: 0o644 },
  )
  const pooler = spawn('pgbouncer', ['--quiet', `${folder}/pgbouncer.ini`], { stdio: ['ignore', 'ignore', 'inherit'] })
  t.teardown(async () => {
    pooler.kill('SIGKILL')
    if (pooler.exitCode === null) await new Promise((resolve) => pooler.once('exit', resolve))
    await rm(folder, { recursive: true })
  })
  await untilListening(port)
  const url = new URL(direct)
  url.host = `127.0.0.1:${port}`
  return url.href
}

import { open, readFile, rename, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { giveToOwnerOf } from './data-folder.js'
import { EmbeddedServerError, codeOf } from './error.js'
import type { Layout } from './layout.js'
import { isLivingServer, readPidFile } from './pid-file.js'
import type { PidFile } from './pid-file.js'
import { spawnServer, tellingLine } from './program.js'
import type { Runner, Started } from './program.js'

const logSizeLimit = 4 * 1024 * 1024
const pollMs = 10
const startTimeoutMs = 60_000
const fastStopMs = 5_000
const immediateStopMs = 2_000

/** What PostgreSQL says when it is in order to look again: another starter was faster, or the old one is not quite gone. */
const passing = /lock file "postmaster\.pid"|pre-existing shared memory block|could not create any TCP\/IP sockets/

export interface StartOptions {
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  /** A number in postmaster.pid that belongs to some other process by now. */
  readonly stalePid: number | undefined
}

/**
 * Starts the server and waits until it takes connections.
 * @returns undefined, or why to look again: what stood in the way passes by itself
 * @throws EmbeddedServerError with the last line of the server's log
 */
export async function startServer(layout: Layout, runner: Runner, options: StartOptions): Promise<string | undefined> {
  const log = await openLog(layout)
  const logStart = (await stat(layout.log)).size
  let server: Started
  try {
    server = spawnServer(runner, serverArguments(layout, options), log.fd, staleness(options))
  } finally {
    await log.close()
  }
  for (const deadline = Date.now() + startTimeoutMs; Date.now() < deadline; ) {
    const hasEnded = await Promise.race([server.ended, sleep(pollMs, false)])
    if (runner.signal?.aborted) await giveUp(server, runner.signal)
    if (hasEnded) return explainEnd(layout, logStart)
    const pidFile = readPidFile(layout.cluster)
    if (pidFile?.pid === server.pid && pidFile?.status === 'ready') return undefined
  }
  throw new EmbeddedServerError(
    `The embedded PostgreSQL is not ready after ${startTimeoutMs / 1000} s: ` +
      `its log ${layout.log} ends with: ${tellingLine(await logSince(layout, logStart))}`,
  )
}

/** A server that is still recovering ends as well. @throws the reason of the signal */
async function giveUp(server: Started, signal: AbortSignal): Promise<never> {
  if (server.pid !== undefined) endProcess(server.pid, 'SIGINT')
  await Promise.race([server.ended, sleep(fastStopMs, undefined, { ref: false })])
  if (server.pid !== undefined) endProcess(server.pid, 'SIGQUIT')
  signal.throwIfAborted()
  throw new Error('the start was given up')
}

/**
 * PostgreSQL takes a lock file for good while any process has the number in it, unless it is told that this is
 * an ancestor of its own. It still refuses when the old server's memory is in use.
 */
const staleness = ({ stalePid }: StartOptions): Record<string, string> =>
  stalePid === undefined ? {} : { PG_GRANDPARENT_PID: String(stalePid) }

async function explainEnd(layout: Layout, logStart: number): Promise<string> {
  const written = await logSince(layout, logStart)
  if (passing.test(written)) return tellingLine(written)
  throw new EmbeddedServerError(
    `The embedded PostgreSQL does not start: its log ${layout.log} ends with: ${tellingLine(written)}`,
  )
}

function serverArguments({ cluster }: Layout, { port, settings }: StartOptions): string[] {
  const all: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '', // their paths must not be longer than 107 bytes
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
    log_checkpoints: 'off',
    // Well before our lock_timeout of 800 ms: two transactions in each other's way are told so, and tried again.
    deadlock_timeout: '200ms',
    // Statements and details can hold what people typed, and secrets: neither reaches the log.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    // After a crash the data directory is flushed first: file by file that took 3 to 4 s on a busy disk.
    ...(process.platform === 'linux' && { recovery_init_sync_method: 'syncfs' }),
    ...settings,
  }
  return ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/** One old log is kept, so that the two together stay small. */
async function openLog({ dataDir, log }: Layout) {
  const size = await stat(log).then((file) => file.size, () => 0)
  if (size > logSizeLimit) await rename(log, `${log}.1`)
  const file = await open(log, 'a', 0o600)
  await giveToOwnerOf(dataDir, log)
  return file
}

const logSince = async ({ log }: Layout, start: number): Promise<string> =>
  (await readFile(log)).subarray(start).toString('utf8')

/** Stops the server the fast way (it ends its connections and saves its state), and waits until it is gone. */
export async function stopServer({ cluster }: Layout): Promise<void> {
  const running = readPidFile(cluster)
  if (running === undefined || !isLivingServer(cluster, running)) return
  endProcess(running.pid, 'SIGINT')
  if (await isGoneWithin(running, cluster, fastStopMs)) return
  endProcess(running.pid, 'SIGQUIT') // at once; the next start recovers what was committed
  if (await isGoneWithin(running, cluster, immediateStopMs)) return
  throw new EmbeddedServerError(`The embedded PostgreSQL (process ${running.pid}) does not stop: end it by hand.`)
}

function endProcess(pid: number, name: 'SIGINT' | 'SIGQUIT'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

async function isGoneWithin(server: PidFile, cluster: string, milliseconds: number): Promise<boolean> {
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline; ) {
    if (readPidFile(cluster)?.pid !== server.pid || !isLivingServer(cluster, server)) return true
    await sleep(pollMs)
  }
  return false
}

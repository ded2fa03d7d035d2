import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import type { Test } from 'tap'
import { packageRoot } from '../../src/package-root.js'
import { EmbeddedServerError, joinEmbeddedServer } from '../../src/repository/embedded/index.js'
import type { EmbeddedServer, JoinOptions } from '../../src/repository/embedded/index.js'
import { layoutOf } from '../../src/repository/embedded/layout.js'
import { thisMachine } from '../../src/repository/embedded/machine.js'
import type { Machine } from '../../src/repository/embedded/machine.js'
import { isLivingServer, readPidFile } from '../../src/repository/embedded/pid-file.js'
import type { PidFile } from '../../src/repository/embedded/pid-file.js'
import { stopServer } from '../../src/repository/embedded/server.js'

/**
 * A data directory that is not there yet; its server goes with it. It will be closed to others, but the folder
 * that it is in may be passed, and gives refuge where root has no other way.
 */
export function privateFolder(t: Test): string {
  const parent = mkdtempSync(path.join(tmpdir(), 'tessera-embedded-'))
  chmodSync(parent, 0o711)
  t.teardown(async () => {
    for (const server of joined) await server.leave() // a test that failed half way has not
    const folders = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    for (const { name } of folders) {
      const layout = layoutOf(path.join(parent, name))
      await stopServer(layout)
      rmSync(layout.home, { recursive: true, force: true })
    }
    rmSync(parent, { recursive: true, force: true })
  })
  return path.join(parent, 'data')
}

/** As the service does it, but quickly, and without leaving the folder that the data directory is in. */
export async function join(dataDir: string, machine?: Partial<Machine>, options?: Partial<JoinOptions>): Promise<EmbeddedServer> {
  const server = await joinEmbeddedServer(
    { dataDir, log: () => undefined, serverSettings: { fsync: 'off' }, ...options },
    { ...thisMachine(), refuges: [path.dirname(dataDir)], ...machine },
  )
  joined.add(server)
  return server
}

const joined = new Set<EmbeddedServer>()

/** All values of all rows. */
export async function ask(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(sql).finally(() => client.end())
  return rows.flatMap((row) => Object.values(row))
}

export const postmaster = (dataDir: string): PidFile | undefined => readPidFile(layoutOf(dataDir).cluster)

/** The process number of the server that runs. */
export function livingPostmaster(dataDir: string): number {
  const file = postmaster(dataDir)
  if (file === undefined || !isLivingServer(layoutOf(dataDir).cluster, file)) throw new Error('no server is running')
  return file.pid
}

/** Refused in one line that says all of `parts`: what is wrong and what to do. */
export async function refusal(t: Test, attempt: Promise<unknown>, ...parts: RegExp[]): Promise<void> {
  try {
    await attempt
    t.fail('was not refused')
  } catch (error) {
    t.ok(error instanceof EmbeddedServerError, String(error))
    const message = error instanceof Error ? error.message : ''
    t.notMatch(message, /\n/)
    for (const part of parts) t.match(message, part)
  }
}

export interface Member {
  readonly process: ChildProcess
  readonly said: { connectionString?: string; adopted?: boolean; firstStart?: boolean; error?: string }
}

export const memberScript = path.join(packageRoot, 'dist/test/support/embedded-member.js')

/** Another process that joins; `wrapper` is a command that runs it as somebody else. */
export async function member(t: Test, dataDir: string, wrapper: readonly string[] = []): Promise<Member> {
  const child = spawn('/usr/bin/env', [...wrapper, process.execPath, memberScript, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) {
    return { process: child, said: JSON.parse(line) as Member['said'] }
  }
  throw new Error('the process said nothing')
}

export async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

import { spawn } from 'node:child_process'
import path from 'node:path'
import type { Binaries } from './binaries.js'
import type { Strategy } from './strategies.js'

/** How PostgreSQL's programs are run on this machine. */
export interface Runner {
  readonly binaries: Binaries
  readonly strategy: Strategy
  /** Ends a program that runs when it is aborted. */
  readonly signal?: AbortSignal | undefined
}

/** Our own environment stays ours: it may hold secrets, and `PG…` names that would mean something to PostgreSQL. */
function environmentFor({ libraryFolders }: Binaries): Record<string, string> {
  const base = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' }
  return libraryFolders === undefined ? base : { ...base, LD_LIBRARY_PATH: libraryFolders.join(':') }
}

/**
 * Starts the server in a process group of its own: Ctrl-C at a terminal is not meant for it.
 * @param logFile a file descriptor
 * @param environment beyond what every program gets
 */
export function spawnServer(
  runner: Runner,
  args: readonly string[],
  logFile: number,
  environment: Readonly<Record<string, string>>,
): Started {
  const { file, args: fullArgs, ...user } = runner.strategy.command(programOf(runner.binaries, 'postgres'), args)
  const child = spawn(file, fullArgs, {
    ...user,
    cwd: '/', // ours may be closed to the other user
    env: { ...environmentFor(runner.binaries), ...environment },
    stdio: ['ignore', logFile, logFile],
    detached: true,
  })
  child.unref()
  const ended = new Promise<true>((resolve) => {
    child.once('exit', () => { resolve(true) }).once('error', () => { resolve(true) })
  })
  return { pid: child.pid, ended }
}

export interface Started {
  /** Undefined when nothing could be started. */
  readonly pid: number | undefined
  readonly ended: Promise<true>
}

export interface Outcome {
  /** The exit status; undefined when it could not be started or was killed. */
  readonly status: number | undefined
  readonly output: string
}

/** Runs a program to its end, and answers what it wrote. */
export function run(runner: Runner, program: string, args: readonly string[]): Promise<Outcome> {
  const { file, args: fullArgs, ...user } = runner.strategy.command(program, args)
  const child = spawn(file, fullArgs, {
    ...user,
    cwd: '/',
    env: environmentFor(runner.binaries),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(runner.signal && { signal: runner.signal }),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  return new Promise((resolve) => {
    child.once('error', (error) => { resolve({ status: undefined, output: error.message }) })
    child.once('close', (code) => { resolve({ status: code ?? undefined, output }) })
  })
}

export const programOf = ({ folder }: Binaries, name: 'postgres' | 'initdb'): string => path.join(folder, 'bin', name)

/** The line that says most: the last with an error in it, else the last of all. */
export function tellingLine(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const line = lines.findLast((text) => /\b(?:FATAL|PANIC|ERROR|error):/.test(text)) ?? lines.at(-1) ?? 'no output'
  return line.replace(/^[\d-]+ [\d:.]+ \w+ \[\d+\] /, '').trim()
}

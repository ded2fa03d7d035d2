import { spawn } from 'node:child_process'
import path from 'node:path'
import { packageRoot } from '../../src/package-root.js'
import type { TestApp } from './app.js'

export interface CliRun {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export type Cli = (args: readonly string[], options?: { input?: string | Buffer; environment?: Readonly<Record<string, string>> }) => Promise<CliRun>

/** The compiled command line as a process of its own, with no more of our environment than it needs to run. */
export const createCli = (environment: Readonly<Record<string, string>>): Cli => (args, options = {}) =>
  new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, UV_THREADPOOL_SIZE: '32', ...environment, ...options.environment }
    const child = spawn(process.execPath, [path.join(packageRoot, 'dist/src/cli/main.js'), ...args], { env, cwd: packageRoot })
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', reject)
    child.on('close', (status) => {
      resolve({ status, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() })
    })
    child.stdin.on('error', () => undefined) // it may end without having read all of it
    child.stdin.end(options.input ?? '')
  })

/** On the database of a running node, with its master secret and its cheap hashes. */
export const cliBeside = ({ config, database }: TestApp): Cli =>
  createCli({
    DATABASE_URL: database.connectionString,
    MASTER_SECRET: config.masterSecret ?? '',
    ARGON2_MEMORY_KIB: String(config.argon2.memoryKiB),
    ARGON2_TIME: String(config.argon2.timeCost),
  })

/** The one JSON value on stdout. */
export function jsonOf({ stdout }: CliRun): unknown {
  return JSON.parse(stdout)
}

/** A command that did nothing, and said why in one line. */
export const failedWith = (line: string): CliRun => ({ status: 1, stdout: '', stderr: `tessera: ${line}\n` })

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { packageRoot } from '../../src/package-root.js'
import { testEnvironment } from './app.js'
import { noteLog, noteSecret } from './canaries.js'
import type { TestDatabase } from './database.js'
import { freePort } from './free-port.js'

interface Test {
  teardown(handler: () => unknown): unknown
}

/** A node as operators run it: a process of its own, which can be killed and paused for real. */
export interface NodeProcess {
  readonly url: string
  readonly process: ChildProcess
  /** Everything it wrote. */
  output(): string
  /** Sends the signal and waits for the end. @returns the exit code, or null after a signal */
  stop(signal: NodeJS.Signals): Promise<number | null>
}

export interface NodeProcessOptions {
  /** The database, or what else says where the data is. */
  readonly database?: TestDatabase
  readonly environment?: Readonly<Record<string, string>>
  readonly port?: number
}

const readyWithinMs = 60_000

/** Resolves once the node is ready. */
export async function startNodeProcess(t: Test, options: NodeProcessOptions): Promise<NodeProcess> {
  const port = options.port ?? (await freePort())
  const environment = {
    PATH: process.env.PATH,
    UV_THREADPOOL_SIZE: '32', // as `npm start` and the image have it
    ...testEnvironment,
    ...(options.database ? { DATABASE_URL: options.database.connectionString } : {}),
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    LOG_LEVEL: 'info',
    ...options.environment,
  }
  const child = spawn(process.execPath, [path.join(packageRoot, 'dist/src/main.js')], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (chunk: Buffer): void => {
    output += chunk.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  noteSecret('master secret', environment.MASTER_SECRET)
  // Not the greeting, which tells the secrets of the demo.
  createInterface(child.stdout).on('line', (line) => { if (line.startsWith('{')) noteLog(line) })
  createInterface(child.stderr).on('line', noteLog)
  const url = `http://127.0.0.1:${port}`
  const node: NodeProcess = {
    url,
    process: child,
    output: () => output,
    async stop(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
      return child.exitCode
    },
  }
  t.teardown(() => node.stop('SIGKILL'))
  await becomeReady(node)
  return node
}

async function becomeReady(node: NodeProcess): Promise<void> {
  const deadline = performance.now() + readyWithinMs
  while (performance.now() < deadline) {
    if (node.process.exitCode !== null) break
    const response = await fetch(`${node.url}/.well-known/jwks.json`).catch(() => null)
    await response?.body?.cancel()
    if (response?.status === 200) return
    await pause(20)
  }
  throw new Error(`the node did not become ready: ${node.output()}`)
}

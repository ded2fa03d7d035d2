import { readFileSync, readdirSync } from 'node:fs'
import { livingPostmaster } from './embedded.js'

/** The processes of a PostgreSQL server, which can be killed and paused like those of any other program. */
export interface ServerProcesses {
  /** All at once, as when the machine dies. @returns when, by `performance.now()` */
  kill(): number
  pause(): void
  resume(): void
}

/** Of the embedded server of a data directory. The server may be another one at each call: it comes back when it was killed. */
export function serverProcesses(dataDir: string): ServerProcesses {
  let paused: readonly number[] = []
  return {
    kill() {
      for (const pid of stopped(dataDir)) signal(pid, 'SIGKILL')
      return performance.now()
    },
    pause() {
      paused = stopped(dataDir)
    },
    resume() {
      for (const pid of paused) signal(pid, 'SIGCONT')
      paused = []
    },
  }
}

/** The postmaster first: a paused one starts no child that we would miss. */
function stopped(dataDir: string): number[] {
  const postmaster = livingPostmaster(dataDir)
  signal(postmaster, 'SIGSTOP')
  const children = childrenOf(postmaster)
  for (const pid of children) signal(pid, 'SIGSTOP')
  return [postmaster, ...children]
}

/** `4321 (name of the program) S 1234 …`: the parent follows the state. @see proc_pid_stat(5) */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0 && parentOf(pid) === parent)
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined // it ended meanwhile
  }
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended meanwhile.
  }
}

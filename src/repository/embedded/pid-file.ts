import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { codeOf } from './error.js'

/** What a running, or killed, server wrote about itself into `postmaster.pid`. */
export interface PidFile {
  readonly pid: number
  readonly port: number
  readonly status: string
}

/** Lines of the file, counted from 0. @see PostgreSQL, src/include/utils/pidfile.h */
const lines = { pid: 0, port: 3, status: 7 }

/** @returns undefined while there is none, or while the server is still writing it */
export function readPidFile(cluster: string): PidFile | undefined {
  let text: string
  try {
    text = readFileSync(path.join(cluster, 'postmaster.pid'), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const line = text.split('\n')
  const pid = Number(line[lines.pid])
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  return { pid, port: Number(line[lines.port] ?? 0), status: (line[lines.status] ?? '').trim() }
}

/** A process of another user is alive too. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/**
 * Whether the server of this cluster runs. A process number is given out again: after a restart of the machine it
 * may belong to anything, the server of another cluster included.
 */
export function isLivingServer(cluster: string, { pid }: PidFile): boolean {
  if (!isAlive(pid)) return false
  try {
    // Empty for a dead process that nobody has buried.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres') && worksIn(cluster, pid)
  } catch {
    return true // no /proc on this system, or it is hidden from us
  }
}

/** A server works in its cluster's folder, by whatever path it was called. */
function worksIn(cluster: string, pid: number): boolean {
  const [there, here] = [statSync(`/proc/${pid}/cwd`), statSync(cluster)]
  return there.dev === here.dev && there.ino === here.ino
}

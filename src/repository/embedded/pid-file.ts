import { readFileSync } from 'node:fs'
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

/** A process number is given out again: after a restart of the machine it may belong to anything. */
export function isLivingServer({ pid }: PidFile): boolean {
  if (!isAlive(pid)) return false
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres') // empty for a dead one that nobody has buried
  } catch {
    return true // no /proc on this system, or it is hidden from us
  }
}

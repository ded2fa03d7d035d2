import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** What all cores have done since the machine started. Milliseconds */
function busyMs(): { busy: number; total: number } {
  const all = cpus().map(({ times: { user, nice, sys, irq, idle } }) => ({ busy: user + nice + sys + irq, total: user + nice + sys + irq + idle }))
  return all.reduce((sum, one) => ({ busy: sum.busy + one.busy, total: sum.total + one.total }))
}

const ticksPerSecond = 100

/** What a process has had of the cores. Milliseconds @see proc_pid_stat(5): utime and stime, counted after the name */
export function cpuMsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}

/** What a process holds of the machine's memory. MiB */
export const memoryMiBOf = (pid: number): number => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/**
 * Watches who has the machine. @returns what share of it went to others than those who had `oursMs` of it. 0 to 1: times that were
 * measured say something about the service only where it is small
 */
export function watchMachine(): (oursMs: number) => number {
  const before = busyMs()
  return (oursMs) => {
    const after = busyMs()
    return Math.max(0, after.busy - before.busy - oursMs) / (after.total - before.total)
  }
}

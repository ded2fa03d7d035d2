import { readlink } from 'node:fs/promises'
import { constants, getPriority, setPriority } from 'node:os'
import path from 'node:path'

/**
 * Makes Node's pool of threads give way to its main thread. Hashes are computed there, as many as there are cores: with the
 * same priority, a flood of logins keeps whoever is only to be verified waiting for a core.
 * Only on Linux, where a thread has a priority of its own (proc(5), setpriority(2)). Elsewhere, and where it is not allowed,
 * nothing happens.
 * @param size of the pool
 * @returns how many threads have a low priority now
 */
export async function lowerPoolPriority(size: number): Promise<number> {
  const threads = await threadsOfPool(size).catch(() => new Set<number>())
  return [...threads].filter(lower).length
}

const lowPriority = constants.priority.PRIORITY_BELOW_NORMAL

function lower(thread: number): boolean {
  try {
    // A service that was started with a lower one keeps it: to raise it takes rights.
    if (getPriority(thread) < lowPriority) setPriority(thread, lowPriority)
    return true
  } catch {
    return false
  }
}

const mostRounds = 100

/** The link `/proc/thread-self` leads to whoever reads it, here a thread of the pool. Several rounds, until each has had its turn. */
async function threadsOfPool(size: number): Promise<Set<number>> {
  const threads = new Set<number>()
  for (let round = 0; round < mostRounds && threads.size < size; round += 1) {
    const links = await Promise.all(Array.from({ length: 2 * size }, () => readlink('/proc/thread-self')))
    for (const link of links) threads.add(Number(path.basename(link)))
  }
  return threads
}

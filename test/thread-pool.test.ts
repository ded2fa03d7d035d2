import { readdirSync } from 'node:fs'
import { constants, getPriority } from 'node:os'
import t from 'tap'
import { lowerPoolPriority } from '../src/thread-pool.js'

const size = Number(process.env.UV_THREADPOOL_SIZE ?? 4)
const priorities = (): number[] => readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)))

void t.test('the threads that compute hashes give way, and no other', { skip: process.platform === 'linux' ? false : 'only Linux has priorities of threads' }, async (t) => {
  const usual = getPriority(process.pid)
  const before = priorities()
  t.equal(await lowerPoolPriority(size), size, 'each is found')
  const low = constants.priority.PRIORITY_BELOW_NORMAL
  const lowered = priorities().filter((priority) => priority >= low)
  t.equal(lowered.length, usual < low ? size : before.length, 'where the whole process has a low one, nothing changes')
  t.equal(getPriority(process.pid), usual, 'the main thread is as it was')
  t.equal(await lowerPoolPriority(size), size, 'again: nothing happens')
})

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
  const lowered = priorities().filter((priority) => priority === constants.priority.PRIORITY_BELOW_NORMAL)
  t.equal(lowered.length, size)
  t.equal(getPriority(process.pid), usual, 'the main thread is as it was')
  t.ok(before.length > size)
  t.equal(await lowerPoolPriority(size), size, 'again: nothing happens')
})

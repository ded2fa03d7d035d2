import { unavailable } from './errors.js'

export interface HashQueueOptions {
  /** Hashes at work at once. */
  readonly concurrency: number
  /** How many may wait; past it, unavailable at once. */
  readonly capacity: number
  readonly longestWaitMs: number
}

/** Who waits: one address may fill half of the queue, one account a quarter. */
export interface Fairness {
  readonly address: string
  readonly account: string
}

interface Waiting {
  readonly fairness: Fairness
  start(): void
}

/** Told of what goes on, for metrics. Must not throw. */
export interface HashQueueObserver {
  /** A hash begins; 0 for one that did not have to wait. */
  onStart(waitedSeconds: number): void
  /** Turned away: the queue was full, or the wait too long. */
  onReject(why: 'full' | 'late'): void
}

export interface HashQueue {
  /** @throws AuthError unavailable when the queue is full, or full for this address or account, or the wait too long */
  run<T>(fairness: Fairness, work: () => Promise<T>): Promise<T>
  readonly running: number
  readonly waiting: number
  observe(observer: HashQueueObserver): void
}

const nobody: HashQueueObserver = { onStart: () => undefined, onReject: () => undefined }

/**
 * Admission to the hasher: bounded work, a bounded queue, a bounded wait, and addresses served in turn, so that a flood from
 * one place delays that place.
 */
export function createHashQueue(options: HashQueueOptions): HashQueue {
  const lines = new Map<string, Waiting[]>()
  const perAccount = new Map<string, number>()
  let running = 0
  let waiting = 0
  let observer = nobody

  function admit(fairness: Fairness): void {
    const ofAddress = lines.get(fairness.address)?.length ?? 0
    const ofAccount = perAccount.get(fairness.account) ?? 0
    const full = waiting >= options.capacity || ofAddress >= Math.ceil(options.capacity / 2) || ofAccount >= Math.ceil(options.capacity / 4)
    if (!full) return
    observer.onReject('full')
    throw unavailable('the hash queue is full')
  }

  function countAccount(account: string, change: 1 | -1): void {
    const count = (perAccount.get(account) ?? 0) + change
    if (count > 0) perAccount.set(account, count)
    else perAccount.delete(account)
  }

  function enqueue(entry: Waiting): void {
    const line = lines.get(entry.fairness.address)
    if (line) line.push(entry)
    else lines.set(entry.fairness.address, [entry])
    countAccount(entry.fairness.account, 1)
    waiting += 1
  }

  function remove(entry: Waiting): void {
    const line = lines.get(entry.fairness.address) ?? []
    line.splice(line.indexOf(entry), 1)
    if (line.length === 0) lines.delete(entry.fairness.address)
    countAccount(entry.fairness.account, -1)
    waiting -= 1
  }

  /** The first of the line whose turn it is; the line then goes to the end, which is where a Map puts what is set anew. */
  function startNext(): void {
    const [turn] = lines
    const [address, line] = turn ?? []
    const next = line?.[0]
    if (address === undefined || !next) return
    remove(next)
    if (lines.delete(address)) lines.set(address, line)
    next.start()
  }

  function turnOf(fairness: Fairness): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry: Waiting = {
        fairness,
        start() {
          clearTimeout(timer)
          running += 1
          resolve()
        },
      }
      const timer = setTimeout(() => {
        remove(entry)
        observer.onReject('late')
        reject(unavailable('the wait for a hash was too long'))
      }, options.longestWaitMs)
      enqueue(entry)
    })
  }

  return {
    async run(fairness, work) {
      if (running < options.concurrency) {
        running += 1
        observer.onStart(0)
      } else {
        admit(fairness)
        const askedAt = performance.now()
        await turnOf(fairness)
        observer.onStart((performance.now() - askedAt) / 1000)
      }
      try {
        return await work()
      } finally {
        running -= 1
        startNext()
      }
    },
    get running() {
      return running
    },
    get waiting() {
      return waiting
    },
    observe(given) {
      observer = given
    },
  }
}

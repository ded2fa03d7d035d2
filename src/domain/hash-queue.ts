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
  /** Held until now, and given up for a place in the queue. */
  readonly place?: Place
}

/** Room in the queue that is kept for somebody whose account is still being looked up. */
export interface Place {
  /** Once it is used, or not needed. Again: nothing happens. */
  leave(): void
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
  /**
   * Before anything is done for whoever wants to be hashed: a flood is turned away at the door, and costs no query.
   * @throws AuthError unavailable when there is no room, or none for this address
   */
  enter(address: string): Promise<Place>
  /** @throws AuthError unavailable when the queue is full, or full for this address or account, or the wait too long */
  run<T>(fairness: Fairness, work: () => Promise<T>): Promise<T>
  readonly running: number
  readonly waiting: number
  observe(observer: HashQueueObserver): void
}

const nobody: HashQueueObserver = { onStart: () => undefined, onReject: () => undefined }

/**
 * Who is turned away hears it a moment later: a flood that asks again as soon as it is answered would otherwise take all the
 * time there is for others. Not all at the same moment: they would come back together, and be in the way of others together.
 */
const refusalPauseMs = { shortest: 30, longest: 70 }

/**
 * Admission to the hasher: bounded work, a bounded queue, a bounded wait, and addresses served in turn, so that a flood from
 * one place delays that place.
 */
export function createHashQueue(options: HashQueueOptions): HashQueue {
  const lines = new Map<string, Waiting[]>()
  const perAccount = new Map<string, number>()
  const placesOfAddress = new Map<string, number>()
  let running = 0
  let waiting = 0
  let observer = nobody
  let places = 0
  let refused = 0

  function pauseBeforeRefusal(): Promise<void> {
    const { shortest, longest } = refusalPauseMs
    refused += 1
    return new Promise((resolve) => setTimeout(resolve, shortest + (refused % (longest - shortest))))
  }

  /** Those who hold a place will wait, but for as many as can be at work at once. */
  function hasRoom(address: string): boolean {
    const idle = Math.max(0, options.concurrency - running)
    const ofAddress = (lines.get(address)?.length ?? 0) + (placesOfAddress.get(address) ?? 0)
    return waiting + places < options.capacity + idle && ofAddress < Math.ceil(options.capacity / 2) + idle
  }

  function takePlace(address: string): Place {
    places += 1
    count(placesOfAddress, address, 1)
    let isHeld = true
    return {
      leave() {
        if (!isHeld) return
        isHeld = false
        places -= 1
        count(placesOfAddress, address, -1)
      },
    }
  }

  function admit(fairness: Fairness): void {
    const ofAddress = lines.get(fairness.address)?.length ?? 0
    const ofAccount = perAccount.get(fairness.account) ?? 0
    const full = waiting >= options.capacity || ofAddress >= Math.ceil(options.capacity / 2) || ofAccount >= Math.ceil(options.capacity / 4)
    if (!full) return
    observer.onReject('full')
    throw unavailable('the hash queue is full')
  }

  function enqueue(entry: Waiting): void {
    const line = lines.get(entry.fairness.address)
    if (line) line.push(entry)
    else lines.set(entry.fairness.address, [entry])
    count(perAccount, entry.fairness.account, 1)
    waiting += 1
  }

  function remove(entry: Waiting): void {
    const line = lines.get(entry.fairness.address) ?? []
    line.splice(line.indexOf(entry), 1)
    if (line.length === 0) lines.delete(entry.fairness.address)
    count(perAccount, entry.fairness.account, -1)
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
    async enter(address) {
      if (hasRoom(address)) return takePlace(address)
      observer.onReject('full')
      await pauseBeforeRefusal()
      throw unavailable('the hash queue is full')
    },
    async run(fairness, work) {
      fairness.place?.leave() // and nobody else gets in before the next lines
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

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const number = (counts.get(key) ?? 0) + change
  if (number > 0) counts.set(key, number)
  else counts.delete(key)
}

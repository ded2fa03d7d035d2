import { unavailable } from './errors.js'
import { createLines, type LineLimits } from './lines.js'
import { lockoutPolicy } from './lockout.js'
import { networksAround } from './network.js'
import { createTurns } from './turns.js'

export interface HashQueueOptions {
  /** Hashes at work at once. */
  readonly concurrency: number
  /** How many may wait; past it, unavailable at once. */
  readonly capacity: number
  readonly longestWaitMs: number
}

/** Owners where they are known, and strangers: each have a share of their own of whatever is bounded. */
export type Standing = 'known' | 'unknown'

/**
 * Who waits. Strangers together may fill three quarters of the queue. One address may fill half of it, a /56 nine sixteenths, a
 * /48 or an IPv4 /24 five eighths; and one account a quarter. Strangers and known origins are counted apart.
 */
export interface Fairness {
  /** As `networkOf` gives it, or another word for one place. */
  readonly address: string
  readonly account: string
  /** Unless given: known. */
  readonly standing?: Standing
  /** Held until now, and given up for a place in the queue. */
  readonly place?: Place
}

/** Room in the queue that is kept for somebody whose account is still being looked up. */
export interface Place {
  /** Once it is used, or not needed. Again: nothing happens. */
  leave(): void
}

interface Waiting {
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
  enter(address: string, standing?: Standing): Promise<Place>
  /**
   * Before that: attempts at one name, a few abreast, the others in a line of their own.
   * @param standing of whoever asks, as far as it is known without a query
   * @throws AuthError unavailable when the line is full, or the wait too long
   */
  inLine<T>(name: string, standing: Standing, work: () => Promise<T>): Promise<T>
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
 * Admission to the hasher: bounded work, a bounded queue, a bounded wait. Strangers and known origins are served in turn, and
 * so are the networks of each, so that a flood from one place delays that place.
 */
export function createHashQueue(options: HashQueueOptions): HashQueue {
  const turns = createTurns<Waiting>()
  /** Who waits or holds a place, by group. */
  const members = new Map<string, number>()
  const perAccount = new Map<string, number>()
  let running = 0
  let observer = nobody
  let places = 0
  let refused = 0

  function pauseBeforeRefusal(): Promise<void> {
    const { shortest, longest } = refusalPauseMs
    refused += 1
    return new Promise((resolve) => setTimeout(resolve, shortest + (refused % (longest - shortest))))
  }

  async function turnAway(): Promise<void> {
    observer.onReject('full')
    await pauseBeforeRefusal()
  }

  const lines = createLines({ capacity: 4 * options.capacity, longestWaitMs: options.longestWaitMs, onFull: turnAway, onLate: () => { observer.onReject('late') } })

  /**
   * As many are abreast as the lockout lets fail: more would only wait for each other at one row, and hold every connection to the
   * database meanwhile. From where the owner is known a whole queue of right logins is no attack.
   */
  const lineLimits = (standing: Standing): LineLimits => ({ abreast: lockoutPolicy.freeFailures, waiting: standing === 'known' ? options.capacity : part(1, 2) })

  const part = (numerator: number, denominator: number): number => Math.ceil((options.capacity * numerator) / denominator)

  /** Of the group at this place of a path, of so many groups: strangers or not, then the networks, the widest first. */
  function shareOf(path: readonly string[], index: number): number {
    if (index === 0) return path[0] === 'known' ? options.capacity : part(3, 4)
    const narrowerOnes = path.length - 1 - index
    if (narrowerOnes === 0) return part(1, 2)
    return index === 1 ? part(5, 8) : part(9, 16)
  }

  const isFull = (path: readonly string[], allowance: number): boolean =>
    turns.size + places >= options.capacity + allowance ||
    groupsOf(path).some((group, index) => (members.get(group) ?? 0) >= shareOf(path, index) + allowance)

  function join(path: readonly string[], change: 1 | -1): void {
    for (const group of groupsOf(path)) count(members, group, change)
  }

  function takePlace(path: readonly string[]): Place {
    places += 1
    join(path, 1)
    let isHeld = true
    return {
      leave() {
        if (!isHeld) return
        isHeld = false
        places -= 1
        join(path, -1)
      },
    }
  }

  function turnOf(path: readonly string[], account: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        join(path, -1)
        count(perAccount, account, -1)
      }
      const entry: Waiting = {
        start() {
          clearTimeout(timer)
          leave()
          running += 1
          resolve()
        },
      }
      const timer = setTimeout(() => {
        turns.remove(path, entry)
        leave()
        observer.onReject('late')
        reject(unavailable('the wait for a hash was too long'))
      }, options.longestWaitMs)
      turns.add(path, entry)
      join(path, 1)
      count(perAccount, account, 1)
    })
  }

  return {
    async enter(address, standing = 'known') {
      const path = pathOf(address, standing)
      // Those who hold a place will wait, but for as many as can be at work at once.
      if (!isFull(path, Math.max(0, options.concurrency - running))) return takePlace(path)
      await turnAway()
      throw unavailable('the hash queue is full')
    },
    inLine: (name, standing, work) => lines.pass(`${standing} ${name}`, lineLimits(standing), work),
    async run(fairness, work) {
      fairness.place?.leave() // and nobody else gets in before the next lines
      if (running < options.concurrency) {
        running += 1
        observer.onStart(0)
      } else {
        const { address, standing = 'known' } = fairness
        const [path, account] = [pathOf(address, standing), `${standing} ${fairness.account}`]
        if (isFull(path, 0) || (perAccount.get(account) ?? 0) >= part(1, 4)) {
          observer.onReject('full')
          throw unavailable('the hash queue is full')
        }
        const askedAt = performance.now()
        await turnOf(path, account)
        observer.onStart((performance.now() - askedAt) / 1000)
      }
      try {
        return await work()
      } finally {
        running -= 1
        turns.next()?.start()
      }
    },
    get running() {
      return running
    },
    get waiting() {
      return turns.size
    },
    observe(given) {
      observer = given
    },
  }
}

/** Strangers and known origins take turns, then networks, then what lies in them. */
const pathOf = (address: string, standing: Standing): string[] => [standing, ...networksAround(address)]

/** A name for each group of a path, and whatever lies in it. */
const groupsOf = (path: readonly string[]): string[] => path.map((_group, index) => path.slice(0, index + 1).join(' '))

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const number = (counts.get(key) ?? 0) + change
  if (number > 0) counts.set(key, number)
  else counts.delete(key)
}

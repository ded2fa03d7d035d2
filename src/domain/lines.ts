import { unavailable } from './errors.js'

export interface LineLimits {
  /** How many of one line are let through at once. */
  readonly abreast: number
  /** How many more may wait. */
  readonly waiting: number
}

/** Lines by key, in this process. Whoever waits costs neither a query nor room in the hash queue, and is woken when one before has done. */
export interface Lines {
  /** @throws AuthError unavailable when the line is full, or the wait too long */
  pass<T>(key: string, limits: LineLimits, work: () => Promise<T>): Promise<T>
}

export interface LinesOptions {
  /** In all lines together. */
  readonly capacity: number
  readonly longestWaitMs: number
  /** Who is turned away for want of room. */
  readonly onFull: () => Promise<void>
  readonly onLate: () => void
}

interface Line {
  inside: number
  readonly waiting: (() => void)[]
}

export function createLines({ capacity, longestWaitMs, onFull, onLate }: LinesOptions): Lines {
  const lines = new Map<string, Line>()
  let waitingInAll = 0

  function turn(line: Line): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer)
        waitingInAll -= 1
        resolve()
      }
      const timer = setTimeout(() => {
        line.waiting.splice(line.waiting.indexOf(go), 1)
        waitingInAll -= 1
        onLate()
        reject(unavailable('the wait for other attempts at this account was too long'))
      }, longestWaitMs)
      line.waiting.push(go)
      waitingInAll += 1
    })
  }

  /** The place goes straight to the next, so that nobody gets in between. */
  function leave(key: string, line: Line): void {
    const next = line.waiting.shift()
    if (next) next()
    else line.inside -= 1
    if (line.inside === 0) lines.delete(key)
  }

  return {
    async pass(key, limits, work) {
      const line = lines.get(key) ?? { inside: 0, waiting: [] }
      if (line.inside < limits.abreast) {
        lines.set(key, line)
        line.inside += 1
      } else {
        if (line.waiting.length >= limits.waiting || waitingInAll >= capacity) {
          await onFull()
          throw unavailable('too many attempts at this account wait already')
        }
        await turn(line)
      }
      try {
        return await work()
      } finally {
        leave(key, line)
      }
    },
  }
}

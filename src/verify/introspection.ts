import { membersOf, TesseraFailure, unavailable, type TesseraClient } from './tessera-client.js'

/** Asks tessera about credentials: a few at a time, about each once, and about none for a while after it said that it had enough. */
export interface Introspection {
  /** @throws VerificationError unavailable */
  ask(token: string): Promise<Readonly<Record<string, unknown>>>
  /** What is asked from now on waits for no answer that was asked for before. */
  forget(): void
}

export interface IntrospectionLimits {
  readonly inFlight: number
  readonly waiting: number
}

const answerMs = 2000
/** Whoever waits longer than this for a turn is told to come again. */
const turnMs = 1000
const shortestPauseMs = 1000
const longestPauseMs = 30_000

interface Turn {
  readonly start: () => void
  readonly giveUp: (error: Error) => void
}

export function createIntrospection(client: Pick<TesseraClient, 'postForm'>, { inFlight: most, waiting: longestQueue }: IntrospectionLimits): Introspection {
  const underWay = new Map<string, Promise<Readonly<Record<string, unknown>>>>()
  let queue: Turn[] = []
  let running = 0
  let pausedUntil = -Infinity

  async function send(token: string): Promise<Readonly<Record<string, unknown>>> {
    await takeTurn()
    try {
      if (performance.now() < pausedUntil) throw new Error('tessera has had enough questions for now')
      return membersOf(await client.postForm('/oauth/introspect', { token }, answerMs))
    } catch (error) {
      if (error instanceof TesseraFailure && (error.status === 429 || error.status === 503)) pause(error.retryAfterMs)
      throw unavailable(error)
    } finally {
      running -= 1
      queue.shift()?.start()
    }
  }

  function pause(retryAfterMs: number): void {
    pausedUntil = performance.now() + Math.min(Math.max(retryAfterMs, shortestPauseMs), longestPauseMs)
  }

  function takeTurn(): Promise<void> {
    if (running < most) {
      running += 1
      return Promise.resolve()
    }
    if (queue.length >= longestQueue || performance.now() < pausedUntil) return Promise.reject(unavailable(new Error('too many questions wait for tessera')))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        queue = queue.filter((other) => other !== turn)
        turn.giveUp(new Error('too many questions wait for tessera'))
      }, turnMs)
      const turn: Turn = {
        start() {
          clearTimeout(timer)
          running += 1
          resolve()
        },
        giveUp(error) {
          reject(unavailable(error))
        },
      }
      queue.push(turn)
    })
  }

  return {
    ask(token) {
      const known = underWay.get(token)
      if (known) return known
      const asking = send(token).finally(() => {
        if (underWay.get(token) === asking) underWay.delete(token)
      })
      underWay.set(token, asking)
      return asking
    },
    forget() {
      underWay.clear()
    },
  }
}

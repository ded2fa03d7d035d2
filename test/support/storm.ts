import { setTimeout as pause } from 'node:timers/promises'
import { call, type Answer, type Call } from './auth-client.js'

/** Where a client can go: any node will do. */
export interface Place {
  readonly url: string
}

/** Many clients at work, while somebody else makes trouble. */
export interface Storm {
  /**
   * Asks one node after the other until one says yes or no, as a patient client would when a node cannot answer or dies.
   * @returns the answer, and who gave it
   */
  ask(path: string, request: Call): Promise<{ answer: Answer; node: Place }>
  /** Answers that meant yes or no. */
  readonly answered: number
  /** Requests that got 503, or no answer at all. */
  readonly turnedAway: number
  /** Answers that nobody should get: 5xx other than 503. */
  readonly surprises: readonly string[]
  /** Resolves when so many were answered in all. */
  untilAnswered(count: number): Promise<void>
  /** @returns how long after this moment (`performance.now()`) a request got an answer that was sent later than it. Milliseconds */
  recoveryAfter(moment: number): Promise<number>
}

const retryPauseMs = 20

export function createStorm(nodes: readonly Place[]): Storm {
  const surprises: string[] = []
  const watchers = new Set<(sentAt: number) => void>()
  let asked = 0
  let answered = 0
  let turnedAway = 0

  async function askOnce(node: Place, path: string, request: Call): Promise<Answer | null> {
    const sentAt = performance.now()
    const answer = await call(node, path, request).catch(() => null)
    if (answer === null || answer.status >= 500) {
      turnedAway += 1
      if (answer !== null && answer.status !== 503) surprises.push(`${path}: ${answer.status} ${answer.text}`)
      return null
    }
    answered += 1
    for (const watch of watchers) watch(sentAt)
    return answer
  }

  /** Resolves with the first answer that is to the point; @param isIt is told when its request was sent */
  function answerWhere(isIt: (sentAt: number) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watcher = (sentAt: number): void => {
        if (!isIt(sentAt)) return
        watchers.delete(watcher)
        resolve()
      }
      watchers.add(watcher)
    })
  }

  return {
    async ask(path, request) {
      for (;;) {
        const node = nodes[(asked += 1) % nodes.length]
        if (node === undefined) throw new Error('there is no node')
        const answer = await askOnce(node, path, request)
        if (answer !== null) return { answer, node }
        await pause(retryPauseMs)
      }
    },
    get answered() {
      return answered
    },
    get turnedAway() {
      return turnedAway
    },
    surprises,
    untilAnswered: (count) => answerWhere(() => answered >= count),
    async recoveryAfter(moment) {
      await answerWhere((sentAt) => sentAt > moment)
      return performance.now() - moment
    },
  }
}

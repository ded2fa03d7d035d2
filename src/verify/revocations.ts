import { membersOf, type TesseraClient } from './tessera-client.js'

/** What of a token a revocation can hit. */
export interface TokenMarks {
  readonly kind: 'user' | 'client'
  readonly subject: string
  readonly sessionId: string
  readonly tokenId: string
  readonly epoch: number
}

/** The live revocations, followed by long poll. */
export interface RevocationFollower {
  isRevoked(token: TokenMarks): boolean
  /** How old the news may be. Milliseconds; `Infinity` before the first. */
  lagMs(): number
  /** Resolves with the first news; rejects when the follower is stopped before. */
  readonly ready: Promise<void>
  /** Why there is no news, since there is none. */
  lastFailure(): Error | null
  /** The longest life of a token that any setting has allowed. Null: tessera does not say, or nothing was read yet. Seconds. */
  longestTokenSeconds(): number | null
  /** Resolves with the next news, or after the time. */
  nextNews(timeoutMs: number): Promise<void>
  stop(): void
}

export interface FollowerOptions {
  readonly client: Pick<TesseraClient, 'getJson'>
  readonly maxLagMs: number
  readonly onError: (error: Error) => void
  /** About an API key, or its owner, something changed. */
  readonly onApiKeyChanged: (subject: string) => void
  /** The ids of the signing keys that are published now. */
  readonly onKeysTold: (kids: readonly string[]) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

interface EpochRule {
  /** Tokens of a lower one are dead. */
  readonly epoch: number
  /** The session that is spared, */
  readonly survivor: string | null
  /** as far as its tokens are not of a lower epoch than this: an earlier rule has ended those. */
  readonly survivorEpoch: number
  readonly expiresAtMs: number
}

/** Both rules in one, whichever came first: whatever one of them ends is dead. */
function combine(one: EpochRule, other: EpochRule): EpochRule {
  const [lower, upper] = one.epoch <= other.epoch ? [one, other] : [other, one]
  const ended = lower.survivor === upper.survivor ? lower.survivorEpoch : lower.epoch
  return { ...upper, survivorEpoch: Math.max(upper.survivorEpoch, ended) }
}

interface State {
  readonly ids: Map<string, number>
  readonly epochs: Map<string, EpochRule>
}

const pauseAfterErrorMs = 250
const pruneEveryMs = 60_000

export function followRevocations(options: FollowerOptions): RevocationFollower {
  const { client, maxLagMs, onError, onApiKeyChanged, onKeysTold, now } = options
  let state: State = { ids: new Map(), epochs: new Map() }
  let cursor = '0'
  let freshAsOf = -Infinity
  let stopped = false
  let reported: string | null = null
  let lastFailure: Error | null = null
  let longestTokenSeconds: number | null = null
  let waiting: (() => void)[] = []
  let resume = (): void => undefined
  let announce: { resolve: () => void; reject: (error: Error) => void } | null = null
  const ready = new Promise<void>((resolve, reject) => {
    announce = { resolve, reject }
  })
  // Whoever does not wait for it is not to be stopped by it.
  ready.catch(() => undefined)

  const waitMs = Math.max(50, Math.floor(maxLagMs / 4))

  /** An answer that waited was given so much later than it was asked for, and no sooner: what the way took does not count. */
  async function poll(): Promise<void> {
    const askedAt = performance.now()
    const page = membersOf(await client.getJson(`/revocations?cursor=${encodeURIComponent(cursor)}&wait=${freshAsOf === -Infinity ? 0 : waitMs}`, waitMs + maxLagMs))
    const { cursor: next, resync, lag_ms: lagMs, waited_ms: waitedMs, revocations, keys, longest_token_seconds: longest } = page
    if (typeof next !== 'string' || typeof lagMs !== 'number' || typeof waitedMs !== 'number' || !Array.isArray(revocations)) throw new Error('the feed of revocations is not what was expected')
    // A page that cannot be understood to its end takes nothing away.
    const told: State = resync === true ? { ids: new Map(), epochs: new Map() } : state
    for (const entry of revocations) apply(told, membersOf(entry))
    state = told
    cursor = next
    freshAsOf = askedAt + waitedMs - lagMs
    longestTokenSeconds = typeof longest === 'number' ? longest : null
    if (Array.isArray(keys)) onKeysTold(keys.filter((kid) => typeof kid === 'string'))
  }

  function apply(to: State, entry: Readonly<Record<string, unknown>>): void {
    const { kind, subject, epoch, survivor, expires_at: expiresAt } = entry
    if (typeof kind !== 'string' || typeof subject !== 'string') throw new Error('the feed of revocations is not what was expected')
    const expiresAtMs = typeof expiresAt === 'string' ? Date.parse(expiresAt) : NaN
    if (kind === 'session' || kind === 'token') to.ids.set(`${kind}:${subject}`, expiresAtMs)
    if (typeof epoch === 'number') raise(to, `${kind}:${subject}`, { epoch, survivor: typeof survivor === 'string' ? survivor : null, survivorEpoch: 0, expiresAtMs })
    if (kind === 'api_key' || kind === 'user') onApiKeyChanged(subject)
  }

  function raise(to: State, key: string, rule: EpochRule): void {
    const known = to.epochs.get(key)
    to.epochs.set(key, known ? combine(known, rule) : rule)
  }

  function prune(): void {
    for (const [key, expiresAtMs] of state.ids) if (expiresAtMs <= now()) state.ids.delete(key)
    for (const [key, rule] of state.epochs) if (rule.expiresAtMs <= now()) state.epochs.delete(key)
  }

  /** tessera may be away for hours, and is asked four times a second. */
  function report(error: unknown): void {
    const failure = error instanceof Error ? error : new Error('the feed of revocations failed')
    lastFailure = failure
    if (failure.message !== reported) onError(failure)
    reported = failure.message
  }

  async function follow(): Promise<void> {
    while (!isStopped()) {
      try {
        await poll()
        reported = null
        lastFailure = null
        announce?.resolve()
        wakeAll()
      } catch (error) {
        if (isStopped()) return
        report(error)
        await pause()
      }
    }
  }

  /** Ends with the time, or when the follower is stopped: nothing of it outlives that. */
  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pauseAfterErrorMs)
      resume = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  function wakeAll(): void {
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }

  function nextNews(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        waiting = waiting.filter((other) => other !== wake)
        resolve()
      }, timeoutMs)
      const wake = (): void => {
        clearTimeout(timer)
        resolve()
      }
      waiting.push(wake)
    })
  }

  const isStopped = (): boolean => stopped
  const pruning = setInterval(prune, pruneEveryMs)
  pruning.unref()
  void follow()

  const isBelow = (rule: EpochRule | undefined, token: TokenMarks): boolean =>
    rule !== undefined && token.epoch < (token.sessionId === rule.survivor ? rule.survivorEpoch : rule.epoch)

  return {
    isRevoked: (token) =>
      state.ids.has(`session:${token.sessionId}`) ||
      state.ids.has(`token:${token.tokenId}`) ||
      isBelow(state.epochs.get(`${token.kind}:${token.subject}`), token) ||
      isBelow(state.epochs.get('all:*'), token),
    lagMs: () => performance.now() - freshAsOf,
    ready,
    lastFailure: () => lastFailure,
    longestTokenSeconds: () => longestTokenSeconds,
    nextNews,
    stop() {
      stopped = true
      resume()
      wakeAll()
      clearInterval(pruning)
      announce?.reject(new Error('the verifier was closed'))
    },
  }
}

import { setTimeout as pause } from 'node:timers/promises'
import type { Revocation } from '../domain/model.js'
import { describeFailure } from './failures.js'
import { createListeningConnection, type ListeningConnection } from './listening-connection.js'
import { readNews, type Cursor } from './revocations.js'

export interface RevocationFeedOptions {
  /** For a session of its own, so never through a transaction pooler. */
  connectionString: string
  applicationName?: string
  /** How old the last word of the database may be. */
  maxLagMs: number
  /** In the order of the numbers, each once; again only when an older state of the database was restored. Must not throw. */
  onRevocation: (revocation: Revocation) => void
  /** The signing keys have changed, or may have while nobody listened. Must not throw. */
  onKeysChanged: () => void
  /** Told once when the connection is lost, and once when it is back. */
  log: (message: string, error?: Error) => void
}

export interface RevocationFeed {
  /** Resolves once all that is revoked has been told. While the database does not answer it goes on trying. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Whether everything that was revoked more than `maxLagMs` ago has been told. */
  isFresh(): boolean
  /** How old the news may be at most; `Infinity` before the first. */
  lagMs(): number
}

/** What is announced within this time is read in one look. */
const shortestPauseMs = 10
/** Any other payload is the number of a revocation, and no more than a hint to look. */
const keysNotice = '{"keys":true}'

const firstPauseMs = 50
const longestPauseMs = 500

/** Reads the live revocations, and from then on every new one: when it is announced, and by itself four times in `maxLagMs`. */
export function createRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  const { maxLagMs, onRevocation, onKeysChanged, log } = options
  const stopping = new AbortController()
  const firstRead = createMilestone('the revocation feed was stopped before its first read')
  let running: Promise<void> | null = null
  let connection: ListeningConnection | null = null
  let cursor: Cursor | null = null
  let confirmedAt = -Infinity
  let failures = 0
  let keysChanged = false

  const connect = () =>
    createListeningConnection({
      connectionString: options.connectionString,
      applicationName: options.applicationName,
      // A silent connection is given up while there is time left for the next one, before anybody notices.
      answerTimeoutMs: maxLagMs / 2,
      onNotification: (payload) => {
        keysChanged ||= payload === keysNotice
      },
    })

  /** The answer is as true as the database was when the question was sent, or truer. */
  async function readAndTell(from: ListeningConnection): Promise<void> {
    const sentAt = performance.now()
    for (const news of await readNews(from, cursor)) {
      onRevocation(news.revocation)
      cursor = news.cursor
    }
    if (keysChanged) {
      keysChanged = false
      onKeysChanged()
    }
    confirmedAt = sentAt
    reportRecovery()
    firstRead.reach()
  }

  /** It listens before it reads: what this read does not see yet will be announced. */
  async function follow(): Promise<void> {
    connection = connect()
    try {
      await connection.open()
      while (!stopping.signal.aborted) {
        await readAndTell(connection)
        await connection.wait(maxLagMs / 4, shortestPauseMs)
      }
    } finally {
      await connection.close()
    }
  }

  function reportRecovery(): void {
    if (failures > 0) log('the revocation feed is back')
    failures = 0
  }

  function reportFailure(error: unknown): void {
    if (failures === 0) log('the revocation feed has lost its connection', describeFailure(error))
    failures += 1
    // Nobody listened for a while.
    keysChanged = true
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await follow()
      } catch (error) {
        reportFailure(error)
        await pauseBetweenFailures()
      }
    }
    firstRead.miss()
  }

  async function pauseBetweenFailures(): Promise<void> {
    const ms = Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1))
    await pause(ms, undefined, { signal: stopping.signal }).catch(() => undefined)
  }

  return {
    async start() {
      running ??= run()
      await firstRead.reached
    },
    async stop() {
      stopping.abort()
      connection?.wake()
      await running
    },
    isFresh: () => performance.now() - confirmedAt <= maxLagMs,
    lagMs: () => performance.now() - confirmedAt,
  }
}

interface Milestone {
  readonly reached: Promise<void>
  readonly reach: () => void
  readonly miss: () => void
}

function createMilestone(reasonOfMissing: string): Milestone {
  let reach: () => void = () => undefined
  let miss: () => void = () => undefined
  const reached = new Promise<void>((resolve, reject) => {
    reach = resolve
    miss = () => {
      reject(new Error(reasonOfMissing))
    }
  })
  // Who never waits for it must not be told by a crash.
  reached.catch(() => undefined)
  return { reached, reach, miss }
}

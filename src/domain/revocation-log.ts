import type { Revocation } from './model.js'

/** The live revocations in the order of their numbers, for verifiers in other services that read them from where they stopped. */
export interface RevocationLog {
  /** In order; a number that is not above the last one means that an older state of the database was restored. */
  append(revocation: Revocation): void
  read(cursor: string): RevocationPage
  /** Resolves when there is news for a reader who has read that far, or after the time, or when the log is closed. */
  waitForNews(cursor: string, timeoutMs: number): Promise<void>
  prune(now: Date): void
  /** Lets everybody go who waits. */
  close(): void
}

export interface RevocationPage {
  /** Where to go on. */
  readonly cursor: string
  /** The cursor is none of ours, any more or yet: what follows is everything that lives, and replaces what the reader had. */
  readonly resync: boolean
  readonly revocations: readonly Revocation[]
}

/** Nothing was read yet. */
export const startCursor = '0'

const cursorOf = (revocation: Revocation | undefined): string => (revocation ? `${revocation.seq}-${revocation.createdAt.getTime()}` : startCursor)

export function createRevocationLog(): RevocationLog {
  let entries: Revocation[] = []
  let wake: (() => void)[] = []
  let closed = false

  function wakeAll(): void {
    const waiting = wake
    wake = []
    for (const resume of waiting) resume()
  }

  /** @returns where the news begins, or null for a cursor that is not in the log */
  function positionAfter(cursor: string): number | null {
    if (cursor === startCursor) return 0
    const index = entries.findLastIndex((entry) => cursorOf(entry) === cursor)
    return index === -1 ? null : index + 1
  }

  /** Another node has told the reader already what is still on its way to this one: that is worth a moment, before everything is told anew. */
  const isAhead = (cursor: string): boolean => Number(/^(\d+)-\d+$/.exec(cursor)?.[1]) > (entries.at(-1)?.seq ?? 0) && positionAfter(cursor) === null

  function waitForEntry(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const resume = (): void => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        wake = wake.filter((other) => other !== resume)
        resolve()
      }, timeoutMs)
      wake.push(resume)
    })
  }

  return {
    append(revocation) {
      const last = entries.at(-1)
      if (last && revocation.seq <= last.seq) entries = []
      entries.push(revocation)
      wakeAll()
    },
    read(cursor) {
      const position = positionAfter(cursor)
      return { cursor: cursorOf(entries.at(-1)), resync: position === null, revocations: entries.slice(position ?? 0) }
    },
    async waitForNews(cursor, timeoutMs) {
      const until = performance.now() + timeoutMs
      while (!closed && (cursor === cursorOf(entries.at(-1)) || isAhead(cursor))) {
        const leftMs = until - performance.now()
        if (leftMs <= 0) return
        await waitForEntry(leftMs)
      }
    },
    prune(now) {
      // The last one stays, so that a reader who has read it is not sent through everything again.
      entries = entries.filter((entry, i) => entry.expiresAt > now || i === entries.length - 1)
    },
    close() {
      closed = true
      wakeAll()
    },
  }
}

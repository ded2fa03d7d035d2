import type { Repository } from './ports.js'

/** The longest life that any token of the fleet may have been signed with, as this node has last read it. */
export interface TokenBound {
  seconds(): number
  /** A node with a longer lifetime may have started a moment ago: the database is asked before a token is refused. */
  allows(lifetimeSeconds: number): Promise<boolean>
  reload(): Promise<void>
}

/** A token that no setting allows makes the node ask this often, and no more: a raised bound is announced besides. */
const asksEveryMs = 1000

/**
 * Raises the bound to the longest lifetime of this node before the node signs anything. Every revocation and every key that
 * verifies outlive the bound, so it must be there first.
 */
export async function openTokenBound({ fleet }: Pick<Repository, 'fleet'>, ownLongestSeconds: number): Promise<TokenBound> {
  await fleet.allowTokensOf(ownLongestSeconds)
  let longest = await fleet.longestTokenSeconds()
  let askedAt = -Infinity

  async function reload(): Promise<void> {
    longest = await fleet.longestTokenSeconds()
  }

  return {
    seconds: () => longest,
    async allows(lifetimeSeconds) {
      if (lifetimeSeconds > longest && performance.now() - askedAt >= asksEveryMs) {
        askedAt = performance.now()
        // A database that does not answer makes nothing true that is not known.
        await reload().catch(() => undefined)
      }
      return lifetimeSeconds <= longest
    },
    reload,
  }
}

import type { Revocation } from './model.js'
import type { TokenIdentity } from './ports.js'

/** The live revocations in memory: verification of a token asks these maps and nothing else. */
export interface RevocationList {
  add(revocation: Revocation): void
  isDead(token: TokenIdentity): boolean
  /** Forgets what no live token can meet any more. @returns how many are left */
  prune(now: Date): number
}

interface EpochRule {
  /** Tokens of a lower one are dead. */
  readonly epoch: number
  /** The session that is spared, */
  readonly survivor: string | null
  /** as far as its tokens are not of a lower epoch than this: an earlier rule has ended those. */
  readonly survivorEpoch: number
  readonly expiresAt: Date
}

/** Both rules in one, whichever came first: whatever one of them ends is dead. */
function combine(one: EpochRule, other: EpochRule): EpochRule {
  const [lower, upper] = one.epoch <= other.epoch ? [one, other] : [other, one]
  const ended = lower.survivor === upper.survivor ? lower.survivorEpoch : lower.epoch
  return { ...upper, survivorEpoch: Math.max(upper.survivorEpoch, ended) }
}

export function createRevocationList(): RevocationList {
  const sessions = new Map<string, Date>()
  const tokens = new Map<string, Date>()
  const epochs = new Map<string, EpochRule>()

  function addEpochRule(subject: string, { epoch, survivor, expiresAt }: Revocation): void {
    if (epoch === null) return
    const known = epochs.get(subject)
    const rule = { epoch, survivor, survivorEpoch: 0, expiresAt }
    epochs.set(subject, known ? combine(known, rule) : rule)
  }

  const isBelow = (rule: EpochRule | undefined, token: TokenIdentity): boolean =>
    rule !== undefined && token.epoch < (token.sessionId === rule.survivor ? rule.survivorEpoch : rule.epoch)

  function pruneMap<T>(map: Map<string, T>, isOver: (value: T) => boolean): void {
    for (const [key, value] of map) if (isOver(value)) map.delete(key)
  }

  return {
    add(revocation) {
      const { kind, subject, expiresAt } = revocation
      if (kind === 'session') sessions.set(subject, expiresAt)
      else if (kind === 'token') tokens.set(subject, expiresAt)
      else if (kind !== 'api_key') addEpochRule(`${kind}:${subject}`, revocation)
    },
    isDead: (token) =>
      sessions.has(token.sessionId) ||
      tokens.has(token.tokenId) ||
      isBelow(epochs.get(token.kind === 'client' ? `client:${token.subject}` : `user:${token.subject}`), token) ||
      isBelow(epochs.get('all:*'), token),
    prune(now) {
      const isPast = (expiresAt: Date): boolean => expiresAt <= now
      pruneMap(sessions, isPast)
      pruneMap(tokens, isPast)
      pruneMap(epochs, (rule) => isPast(rule.expiresAt))
      return sessions.size + tokens.size + epochs.size
    },
  }
}

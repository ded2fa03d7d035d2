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
  readonly epoch: number
  readonly survivor: string | null
  readonly expiresAt: Date
}

export function createRevocationList(): RevocationList {
  const sessions = new Map<string, Date>()
  const tokens = new Map<string, Date>()
  const epochs = new Map<string, EpochRule>()

  function addEpochRule(subject: string, { epoch, survivor, expiresAt }: Revocation): void {
    const known = epochs.get(subject)
    if (epoch === null || (known && known.epoch > epoch)) return
    epochs.set(subject, { epoch, survivor, expiresAt })
  }

  const isBelow = (rule: EpochRule | undefined, token: TokenIdentity): boolean =>
    rule !== undefined && token.epoch < rule.epoch && token.sessionId !== rule.survivor

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

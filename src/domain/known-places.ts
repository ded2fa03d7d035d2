import { emailIdentifier, usernameIdentifier } from './identifiers.js'
import type { User } from './model.js'
import type { Identifier } from './ports.js'
import type { CoreService } from './service.js'

/**
 * From where somebody has lately got in by a name: a network, or a session whose refresh token comes along. It is known before
 * anything is looked up, so that strangers' guesses at the name do not stand in the owner's way. What it forgets or has not heard
 * of is treated as a stranger's until the look-up; it lets nobody in.
 */
export interface KnownPlaces {
  remember(user: Pick<User, 'username' | 'email'>, evidence: string): void
  /** @returns the first of the evidence that is known for this name; null: none is */
  find(identifier: Identifier, evidence: readonly string[]): string | null
}

const most = 20_000
/** Each is remembered by two names at most. */
const mostLearned = 5000

type Name = Pick<Identifier, 'by' | 'folded'>

export function createKnownPlaces(): KnownPlaces {
  /** In the order in which they were last remembered. */
  const places = new Set<string>()
  const keyOf = ({ by, folded }: Name, evidence: string): string => `${by} ${folded} ${evidence}`

  function add(key: string): void {
    places.delete(key)
    places.add(key)
    if (places.size <= most) return
    const [oldest] = places
    if (oldest !== undefined) places.delete(oldest)
  }

  return {
    remember({ username, email }, evidence) {
      if (username !== null) add(keyOf(usernameIdentifier(username), evidence))
      if (email !== null) add(keyOf(emailIdentifier(email), evidence))
    },
    find: (identifier, evidence) => evidence.find((one) => places.has(keyOf(identifier, one))) ?? null,
  }
}

/** Logins that this process has not seen: those of before it started, and of other nodes. @param seconds null: as far back as it remembers */
export async function learnKnownPlaces({ repository, knownPlaces }: Pick<CoreService, 'repository' | 'knownPlaces'>, seconds: number | null): Promise<void> {
  const logins = await repository.users.recentNetworks(seconds, mostLearned)
  for (const { username, email, network } of logins) knownPlaces.remember({ username, email }, network)
}

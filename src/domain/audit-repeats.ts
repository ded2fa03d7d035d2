import type { AuditEvent } from './audit.js'
import type { Clock, Repository } from './ports.js'

/**
 * What a stranger can cause at will (wrong guesses, dead and foreign tokens) is written down once in a while, with how often it
 * happened: nobody fills the trail, and nothing goes uncounted. Each node counts for itself: in five minutes it writes at most 30 events of
 * one kind about one account or session, and 100 from one network. What it has counted and not yet written is lost when it is killed, not when it stops.
 */
export interface AuditRepeats {
  /**
   * @param kind the events that are one: the same for whoever cannot be told apart from outside
   * @returns what is to be written; null: it is counted, and told later. `detail.count` says for how many an event stands; without it, for one
   */
  admit(event: AuditEvent, kind: EventKind): AuditEvent | null
  /** Writes what was counted and whose time is over. @param everything before a stop: what is not over too */
  tell(repository: Pick<Repository, 'audit'>, everything?: boolean): Promise<void>
}

export interface EventKind {
  /** An account, a session. */
  readonly subject: string
  readonly what: string
  /** Where it comes from, where that makes it another event; null: it does not. */
  readonly network: string | null
  /** What else makes it another event; it is bounded with the others of its subject. */
  readonly variant?: string
  /** How many of them are written one by one. Unless given: the first. */
  readonly oneByOne?: number
}

interface Counted {
  readonly event: AuditEvent
  readonly sinceMs: number
  written: number
  /** Not written. */
  count: number
}

const windowMs = 300_000
/** Of one account, and from one network, so many different ones are written in that time. */
const most = { ofSubject: 30, ofNetwork: 100, inAll: 10_000 }

export function createAuditRepeats(clock: Clock): AuditRepeats {
  const counted = new Map<string, Counted>()
  /** How many are written, by account and by network, in the window that is under way. */
  let budgets = { sinceMs: 0, written: new Map<string, number>() }

  function spend(key: string, limit: number): boolean {
    const now = clock.now().getTime()
    if (now - budgets.sinceMs >= windowMs) budgets = { sinceMs: now, written: new Map() }
    const written = budgets.written.get(key) ?? 0
    if (written >= limit || budgets.written.size >= most.inAll) return false
    budgets.written.set(key, written + 1)
    return true
  }

  const mayBeWritten = ({ subject, what, network }: EventKind): 'yes' | 'subject' | 'network' => {
    if (!spend(`subject ${what} ${subject}`, most.ofSubject)) return 'subject'
    return network === null || spend(`network ${what} ${network}`, most.ofNetwork) ? 'yes' : 'network'
  }

  /** Under the same kind; or under a wider one, when there have been too many of that. */
  function groupOf(kind: EventKind): { readonly key: string; readonly isOfMany: boolean } {
    const { subject, what, network, variant } = kind
    const key = [what, subject, network, variant].join(' ')
    if (counted.has(key)) return { key, isOfMany: false }
    if (counted.size >= most.inAll) return { key: `${what} of many`, isOfMany: true }
    switch (mayBeWritten(kind)) {
      case 'subject':
        return { key: `${what} ${subject} from many`, isOfMany: false }
      case 'network':
        return { key: `${what} from ${network}`, isOfMany: true }
      case 'yes':
        return { key, isOfMany: false }
    }
  }

  /** It stands for what concerned others too, so it names nobody. */
  const ofMany = (event: AuditEvent): AuditEvent => ({ ...event, actor: { kind: 'user', id: 'many' }, userId: null, sessionId: null })

  const standingFor = (event: AuditEvent, count: number, sinceMs: number): AuditEvent =>
    ({ ...event, detail: { ...event.detail, count, since: new Date(sinceMs).toISOString() } })

  return {
    admit(given, kind) {
      const now = clock.now().getTime()
      const { key, isOfMany } = groupOf(kind)
      const event = isOfMany ? ofMany(given) : given
      const before = counted.get(key)
      if (before !== undefined && now - before.sinceMs < windowMs) {
        const isOne = before.count === 0 && before.written < (kind.oneByOne ?? 1) && mayBeWritten(kind) === 'yes'
        if (isOne) before.written += 1
        else before.count += 1
        return isOne ? event : null
      }
      counted.delete(key)
      counted.set(key, { event, sinceMs: now, written: 1, count: 0 })
      return before === undefined || before.count === 0 ? event : standingFor(event, before.count + 1, before.sinceMs)
    },
    async tell(repository, everything = false) {
      const now = clock.now().getTime()
      for (const [key, one] of [...counted]) {
        if (!everything && now - one.sinceMs < windowMs) continue
        // Before it is written, so that nobody counts to it meanwhile; back again if it could not be.
        counted.delete(key)
        if (one.count === 0) continue
        try {
          await repository.audit.append(standingFor(one.event, one.count, one.sinceMs))
        } catch (error) {
          counted.set(key, one)
          throw error
        }
      }
    },
  }
}

import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** The credentials of services that were good a moment ago. Whoever shows one again is counted as that service, before anything is looked up. */
export interface KnownCallers {
  /** @returns null for a credential that is not known, and for none */
  callerOf(headers: IncomingHttpHeaders): string | null
  remember(headers: IncomingHttpHeaders, caller: string): void
  forget(headers: IncomingHttpHeaders): void
}

const mostCallers = 10_000
const rememberedMs = 10 * 60_000

/** @param now milliseconds, monotonic */
export function createKnownCallers(now: () => number): KnownCallers {
  const callers = new Map<string, { readonly caller: string; readonly endsAt: number }>()
  return {
    callerOf(headers) {
      if (!hasCredential(headers)) return null
      const known = callers.get(digestOf(headers))
      return known !== undefined && known.endsAt > now() ? known.caller : null
    },
    remember(headers, caller) {
      if (!hasCredential(headers)) return
      const digest = digestOf(headers)
      callers.delete(digest)
      callers.set(digest, { caller, endsAt: now() + rememberedMs })
      const [oldest] = callers.size > mostCallers ? callers.keys() : []
      if (oldest !== undefined) callers.delete(oldest)
    },
    forget(headers) {
      if (hasCredential(headers)) callers.delete(digestOf(headers))
    },
  }
}

/** Whether the header shows a credential: one in the body is not read yet. */
export const hasCredential = (headers: IncomingHttpHeaders): boolean => headers.authorization !== undefined || headers['x-api-key'] !== undefined

/** No secret is kept. */
const digestOf = (headers: IncomingHttpHeaders): string => hash('sha256', `${headers.authorization ?? ''}\n${String(headers['x-api-key'] ?? '')}`, 'base64')

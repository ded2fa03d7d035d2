import type { PresentedCredential } from '../../src/domain/credential.js'
import type { Principal } from '../../src/domain/model.js'

/** A header takes ASCII: everything else, and `%` itself, is percent-encoded UTF-8. */
const headerText = (text: string): string => text.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))

/** How the caller showed who they are. */
const methodOf = (presented: PresentedCredential): string => {
  if (presented.kind !== 'access_token') return presented.kind
  return presented.via === 'header' ? 'bearer' : presented.via
}

/**
 * Who it is, for the gateway to pass on. Every header is always there, empty where there is nothing to say, so that one of
 * the same name that a client sent never survives.
 */
export function identityHeaders(principal: Principal, presented: PresentedCredential): Record<string, string> {
  const isClient = principal.kind === 'client'
  return {
    'x-auth-user': isClient ? principal.clientId : principal.userId,
    'x-auth-username': isClient ? '' : headerText(principal.username ?? ''),
    'x-auth-email': isClient ? '' : headerText(principal.email ?? ''),
    'x-auth-session': principal.kind === 'session' ? principal.sessionId : '',
    'x-auth-scopes': principal.scopes.join(' '),
    'x-auth-method': methodOf(presented),
  }
}

/** For a request that passes without an identity. */
export const nobody: Readonly<Record<string, string>> = {
  'x-auth-user': '',
  'x-auth-username': '',
  'x-auth-email': '',
  'x-auth-session': '',
  'x-auth-scopes': '',
  'x-auth-method': '',
}

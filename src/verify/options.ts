/** What a service does with a good token while the news of revocations is older than it tolerates. */
export type WhenStale = 'closed' | 'open' | 'introspect'

export interface VerifierOptions {
  /** The `PUBLIC_URL` of tessera: the `iss` of its tokens, and where its endpoints are found. */
  readonly issuer: string
  /** The `AUDIENCE` of tessera. By default the issuer. */
  readonly audience?: string
  /** Where tessera is reached from here, when that is not the issuer (a name inside the cluster). */
  readonly baseUrl?: string
  /** What this service shows tessera to follow the feed (scope `revocations`) and to ask about API keys (scope `introspect`). */
  readonly credential: VerifierCredential
  /** How old the news of revocations may be. Milliseconds; by default 2000. */
  readonly maxLagMs?: number
  /**
   * Past that: `closed` (the default) refuses every token, `open` goes on without news, `introspect` asks tessera about each.
   * About API keys it is asked in any case.
   */
  readonly whenStale?: WhenStale
  /** How long the answer about an API key may be believed. Milliseconds; by default 30,000. The feed drops it sooner. */
  readonly apiKeyCacheMs?: number
  /** Told of what goes wrong in the background; of a failure that repeats itself, once. By default a warning of the process. */
  readonly onError?: (error: Error) => void
  /** For tests. */
  readonly fetch?: typeof fetch
  /** Milliseconds since the epoch; for tests. */
  readonly now?: () => number
}

/** An API key of tessera, or a client: then its tokens are fetched, and fetched again before they expire. */
export type VerifierCredential = { readonly apiKey: string } | { readonly clientId: string; readonly clientSecret: string }

export interface ReadyOptions {
  /** How long to wait before it is given up, with the reason. Milliseconds; by default without an end. */
  readonly timeoutMs?: number
}

export interface VerifiedIdentity {
  readonly kind: 'user' | 'client' | 'api_key'
  /** The id of the user or the client. */
  readonly subject: string
  readonly username: string | null
  readonly email: string | null
  /** null for an API key. */
  readonly sessionId: string | null
  readonly scopes: readonly string[]
  /** null for an API key without an end. */
  readonly expiresAt: Date | null
}

/** As tessera reads its PUBLIC_URL, which is the `iss` of its tokens. @throws TypeError */
export function readUrl(name: 'issuer' | 'baseUrl', text: string): string {
  const expected = name === 'issuer' ? 'the PUBLIC_URL of tessera' : 'the URL at which this service reaches tessera'
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol)) throw new TypeError(`${name} must be ${expected}, such as https://id.example.com`)
  if (url.username !== '' || url.password !== '') throw new TypeError(`${name} must be ${expected}, without a name and a password`)
  return (url.origin + url.pathname).replace(/\/+$/, '')
}

/** Why a credential was not accepted. */
export type VerificationErrorCode = 'missing' | 'invalid' | 'expired' | 'revoked' | 'stale' | 'unavailable'

export class VerificationError extends Error {
  override readonly name = 'VerificationError'
  readonly code: VerificationErrorCode
  /** 401 where the caller must show another credential, 503 where we cannot know now. */
  readonly statusCode: 401 | 503

  constructor(code: VerificationErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
    this.statusCode = code === 'stale' || code === 'unavailable' ? 503 : 401
  }
}

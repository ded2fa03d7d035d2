/** The nouns of the house. Row types of the database stay in the repository; these are what everyone else sees. */

export const dialectNames = ['pin', 'directus', 'bearer', 'tokenset'] as const
export type DialectName = (typeof dialectNames)[number]

export const roles = ['user', 'admin'] as const
export type Role = (typeof roles)[number]

export type UserStatus = 'active' | 'suspended'

export interface User {
  readonly id: string
  readonly username: string | null
  readonly email: string | null
  readonly emailVerified: boolean
  readonly role: Role
  readonly status: UserStatus
  /** The effective epoch: global epoch * 2^32 + the user's own. Sessions and tokens of another epoch are dead. */
  readonly epoch: number
  readonly createdAt: Date
}

/** How somebody proved who they are, RFC 8176 names: `pwd`, `pin`, `otp`. */
export type AuthenticationMethod = 'pwd' | 'pin' | 'otp'

export interface Session {
  readonly id: string
  readonly userId: string
  readonly dialect: DialectName
  readonly amr: readonly AuthenticationMethod[]
  readonly authTime: Date
  readonly ip: string | null
  readonly userAgent: string | null
  readonly epoch: number
  readonly generation: number
  readonly expiresAt: Date
  readonly idleExpiresAt: Date | null
}

/** A session as the database judges it, by its own clock. */
export interface SessionState {
  readonly session: Session
  readonly user: User
  /** Not revoked, neither end passed, the user active, the epochs equal. */
  readonly alive: boolean
  /** How long ago `generation` last grew; null before the first rotation. */
  readonly secondsSinceRotation: number | null
  /** The network of whoever asked for the last rotation; null where that is not known. */
  readonly rotatedFrom: string | null
  /** Until the nearer of the two ends. */
  readonly remainingSeconds: number
}

/** Where a call comes from. */
export interface Origin {
  /** The address of the client, as far as trusted proxies tell. */
  readonly ip: string
  readonly userAgent: string | null
  readonly requestId: string | null
}

/** Who caused a change: the user, another service, an operator's name, or the service itself. */
export interface Actor {
  readonly kind: 'user' | 'client' | 'operator' | 'service'
  readonly id: string
}

/** Who changes what belongs to others, and from where, where that is known. */
export interface Operator extends Actor {
  readonly origin?: Origin
  /** On whose word it is done. Absent: the operator of the machine, by the command line. */
  readonly authority?: Authority
}

export interface ApiKey {
  readonly id: string
  readonly userId: string
  readonly name: string
  readonly hint: string
  /** null: the ordinary rights of the owner. */
  readonly scopes: readonly string[] | null
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly lastUsedAt: Date | null
}

/** Another service that calls in its own name. */
export interface Client {
  readonly id: string
  readonly name: string
  readonly scopes: readonly string[]
  /** null: the service's own figure. */
  readonly accessSeconds: number | null
  /** Public keys for private_key_jwt. */
  readonly jwks: PublicKeySet | null
  readonly hasSecret: boolean
  /** The effective epoch: tokens of a lower one are dead. */
  readonly epoch: number
  readonly createdAt: Date
}

/** RFC 7517 §5. */
export interface PublicKeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[]
}

/** Who makes a call, once the credential is verified. */
export type Principal = SessionPrincipal | ApiKeyPrincipal | ClientPrincipal

interface Rights {
  readonly scopes: readonly string[]
}

export interface SessionPrincipal extends Rights {
  readonly kind: 'session'
  readonly userId: string
  readonly username: string | null
  readonly email: string | null
  readonly sessionId: string
  readonly epoch: number
  readonly amr: readonly string[]
  readonly tokenId: string
  readonly expiresAt: Date
}

export interface ApiKeyPrincipal extends Rights {
  readonly kind: 'api_key'
  readonly userId: string
  readonly username: string | null
  readonly email: string | null
  readonly apiKeyId: string
  /** null: the key has no end. */
  readonly expiresAt: Date | null
}

export interface ClientPrincipal extends Rights {
  readonly kind: 'client'
  readonly clientId: string
  readonly epoch: number
  readonly tokenId: string
  readonly expiresAt: Date
}

/** A client that has shown its own secret or key instead of a token. */
export interface AuthenticatedClient {
  readonly kind: 'authenticated_client'
  readonly clientId: string
  /** The effective epoch of the client when the secret was checked. */
  readonly epoch: number
}

/** On whose word a change is made. */
export interface Authority {
  readonly holder: Principal | AuthenticatedClient
  /** The right that the change takes. null: none beyond being the holder. */
  readonly scope: string | null
  /** What else must be true of the holder. @throws AuthError */
  readonly demand?: (standing: Standing) => void
}

/** What the database knows of the holder of an authority. */
export interface Standing {
  /** The session, key or client has not ended, and its user is active. */
  readonly stands: boolean
  /** null: the user is gone; or the holder is a client. */
  readonly user: User | null
  /** The scopes that an API key or a client was given. null: a session; or a key with the ordinary rights. */
  readonly scopes: readonly string[] | null
  /** How a session was opened. null: there is none. */
  readonly login: { readonly amr: readonly AuthenticationMethod[]; readonly secondsAgo: number } | null
}

/** The end of something, as every node and verifier must know it. */
export interface Revocation {
  readonly seq: number
  readonly kind: 'session' | 'user' | 'api_key' | 'client' | 'token' | 'all'
  /** The id of the session, user, API key, client or token; `*` for all. */
  readonly subject: string
  /** `user`, `client`, `all`: tokens of a lower epoch are dead. */
  readonly epoch: number | null
  /** `user`: the one session that lives on. */
  readonly survivor: string | null
  readonly createdAt: Date
  /** When the last token that it could concern has expired. */
  readonly expiresAt: Date
}

export type NewRevocation =
  | { kind: 'session' | 'api_key' | 'token'; subject: string }
  | { kind: 'user'; subject: string; epoch: number; survivor: string | null }
  | { kind: 'client'; subject: string; epoch: number }
  | { kind: 'all'; epoch: number }

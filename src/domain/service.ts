import type { AuditRepeats } from './audit-repeats.js'
import type { KnownPlaces } from './known-places.js'
import type { Hasher } from './passwords.js'
import type { Keyring } from './keyring.js'
import type { DialectName, User } from './model.js'
import type { AccessTokens, Clock, Repository, RevocationCheck } from './ports.js'

/** What of a dialect the domain must know. Everything else about it stays in routes/«dialect». */
export interface DialectPolicy {
  readonly name: DialectName
  readonly accessSeconds: number
  readonly refreshSeconds: number
  /** null: no sliding end. */
  readonly idleSeconds: number | null
  /** Its clients may keep their first refresh token (sessions-and-tokens.md, static clients). */
  readonly staticClients: boolean
  /** What it adds to the claims of an access token. */
  accessClaims(user: User): Readonly<Record<string, unknown>>
}

/** What operators' commands work with: no tokens are issued or verified. */
export interface CoreService {
  readonly repository: Repository
  readonly clock: Clock
  readonly hasher: Hasher
  readonly keyring: Keyring
  readonly knownPlaces: KnownPlaces
  readonly auditRepeats: AuditRepeats
}

/** Everything a step of the domain works with. Put together once, in src/app.ts. */
export interface Service extends CoreService {
  readonly accessTokens: AccessTokens
  readonly revocations: RevocationCheck
  readonly settings: ServiceSettings
}

export interface ServiceSettings {
  readonly issuer: string
  readonly audience: string
  /** The `client_id` of tokens that no confidential client asked for. */
  readonly publicClientId: string
  readonly refreshGraceSeconds: number
  /** How long after a login its session may make API keys. null: as long as it lives. */
  readonly apiKeyMaxAgeSeconds: number | null
  readonly dialects: Readonly<Record<DialectName, DialectPolicy>>
}

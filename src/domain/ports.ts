import type { AuditEvent, AuditEventType, SealedAuditEvent, StoredAuditEvent } from './audit.js'
import type {
  ApiKey,
  AuthenticationMethod,
  Authority,
  Client,
  DialectName,
  NewRevocation,
  PublicKeySet,
  Revocation,
  Role,
  Session,
  SessionState,
  Standing,
  User,
  UserStatus,
} from './model.js'

/** The node's clock: for claims in tokens and for waiting, never for what the database decides. */
export interface Clock {
  now(): Date
}

/** What the domain asks of the database. Every method throws AuthError `unavailable` when it cannot answer in time. */
export interface Repository {
  readonly users: Users
  readonly credentials: Credentials
  readonly sessions: Sessions
  readonly apiKeys: ApiKeys
  readonly clients: Clients
  readonly attempts: Attempts
  readonly revocations: Revocations
  readonly keys: Keys
  readonly fleet: Fleet
  readonly audit: AuditTrail
  readonly auditChain: AuditChain
  readonly authorities: Authorities
  /**
   * All or nothing; inside a transaction it joins that one. Revocations announced inside are obeyed by this node as soon as
   * the commit is acknowledged. When another transaction got in the way `work` runs again: it only asks the repository.
   */
  transaction<T>(work: (repository: Repository) => Promise<T>): Promise<T>
  /**
   * The same, for all that one request asks: when the database is overrun, its steps together wait a second before they are
   * unavailable, rather than each of them.
   */
  forOneRequest(): Repository
}

/** A name as it is looked up (domain/name-folding.ts). */
export interface Identifier {
  readonly by: 'username' | 'email'
  /** In lower case. A user of exactly this name is meant before any other. */
  readonly canonical: string
  /** Folded: the name that nobody else may have. */
  readonly folded: string
}

/** A username or an email address that somebody is given. */
export interface Handle extends Omit<Identifier, 'by'> {
  readonly given: string
}

export interface NewUser {
  readonly id: string
  /** From another system, where the account stood before. */
  readonly emailVerified?: boolean
  readonly createdAt?: Date
  readonly username: Handle | null
  readonly email: Handle | null
  readonly role: Role
}

/** Everything a login needs to know of a user, in one query. */
export interface LoginRecord {
  readonly user: User
  readonly passwordHash: string | null
  readonly pin: StoredPin | null
  readonly totp: StoredTotp | null
  /** A login from this network succeeded in the last 30 days. */
  readonly networkKnown: boolean
  /** One of the sessions that were named is this user's, and alive. */
  readonly ownsSession: boolean
}

export interface StoredPin {
  readonly hash: string
  readonly pepperKid: string
}

export interface StoredTotp {
  readonly sealedSecret: Buffer
  /** No code of this step or before is good any more. */
  readonly lastUsedStep: number
  /** Of those that are not used up. */
  readonly recoveryCodeHashes: readonly Buffer[]
}

/** A name that is not there stays; null takes it away. */
export interface ChangedNames extends Partial<Pick<NewUser, 'username' | 'email'>> {
  readonly emailVerified: boolean
}

export interface UserPage {
  readonly after: string | null
  readonly limit: number
  /** What the username or the email begins with. */
  readonly prefix?: Omit<Identifier, 'by'> | null
  readonly role?: Role | null
  readonly status?: UserStatus | null
}

/** What of an account another system can use. */
export interface ExportedUser {
  readonly user: User
  readonly passwordHash: string | null
}

/** Somebody who has logged in from there lately. */
export interface KnownLogin {
  readonly username: string | null
  readonly email: string | null
  readonly network: string
}

export interface Users {
  /** @returns false when the username, the email or the id is taken */
  insert(user: NewUser): Promise<boolean>
  find(id: string): Promise<User | null>
  /** Inside a transaction: until it is over nobody else changes the user's row, ends all sessions or opens one. */
  hold(id: string): Promise<User | null>
  /** Inside a transaction, before any row is held: until it is over nobody else gets past here. */
  holdAdministrators(): Promise<void>
  findByIdentifier(identifier: Identifier): Promise<User | null>
  /**
   * One statement, whoever is asked for.
   * @param network as `networkOf` gives it
   * @param sessionIds of sessions that the client claims to hold
   */
  findForLogin(identifier: Identifier, network: string, sessionIds?: readonly string[]): Promise<LoginRecord | null>
  /** The same for a user who is known already, for calls that ask for the secret again. */
  findForReauthentication(id: string, network: string): Promise<LoginRecord | null>
  /** Oldest first, after the given id. */
  list(page: UserPage): Promise<User[]>
  /** The same, of everybody, with the hashes of their passwords. */
  listForExport(page: { readonly after: string | null; readonly limit: number }): Promise<ExportedUser[]>
  /** @returns false when the username or email is taken, or the user unknown */
  setNames(id: string, names: ChangedNames): Promise<boolean>
  setStatus(id: string, status: UserStatus): Promise<boolean>
  setRole(id: string, role: Role): Promise<boolean>
  /** One statement: all sessions and tokens of the user are dead from here on. @returns the new effective epoch, null for an unknown user */
  raiseEpoch(id: string): Promise<number | null>
  /** Ends every session of every user. @returns the lowest effective epoch that lives */
  raiseGlobalEpoch(): Promise<number>
  delete(id: string): Promise<boolean>
  isEmpty(): Promise<boolean>
  /** Users whose names were stored before names were folded, some at a time. */
  listUnfolded(limit: number): Promise<Pick<User, 'id' | 'username' | 'email'>[]>
  /** Notes the folded forms of names that were stored without. A form that another user has is left to that user. */
  noteFolded(id: string, folded: { readonly username: string | null; readonly email: string | null }): Promise<void>
  rememberNetwork(id: string, network: string): Promise<void>
  /** The newest logins, the oldest of them first. @param seconds how far back; null: any */
  recentNetworks(seconds: number | null, limit: number): Promise<KnownLogin[]>
}

export interface Credentials {
  setPassword(userId: string, hash: string): Promise<void>
  /** Only if the stored hash is still `previous`: a rehash never undoes a change of password. */
  replacePasswordHash(userId: string, previous: string, hash: string): Promise<void>
  setPin(userId: string, pin: StoredPin): Promise<void>
  replacePinHash(userId: string, previous: string, pin: StoredPin): Promise<void>
  enableTotp(userId: string, sealedSecret: Buffer, lastUsedStep: number, recoveryCodeHashes: readonly Buffer[]): Promise<void>
  /** @returns false when there was none */
  disableTotp(userId: string): Promise<boolean>
  hasTotp(userId: string): Promise<boolean>
  /** One statement: true once for a step, false for it and all before it from then on. */
  consumeTotpStep(userId: string, step: number): Promise<boolean>
  /** One statement: true once for a code. */
  consumeRecoveryCode(userId: string, codeHash: Buffer): Promise<boolean>
  saveTotpEnrolment(sessionId: string, sealedSecret: Buffer, lifetimeSeconds: number): Promise<void>
  /** Takes the secret that was generated for this session, if it is not too old. It stays until `enableTotp` or its end. */
  findTotpEnrolment(sessionId: string): Promise<Buffer | null>
  deleteTotpEnrolment(sessionId: string): Promise<void>
  /** The distinct costs of all stored hashes, as `m=…,t=…,p=…`. */
  storedCosts(): Promise<string[]>
}

export interface NewSession {
  readonly id: string
  readonly userId: string
  readonly dialect: DialectName
  readonly amr: readonly AuthenticationMethod[]
  readonly ip: string
  readonly userAgent: string | null
  /** The effective epoch that was read before hashing. */
  readonly epoch: number
  readonly lifetimeSeconds: number
  readonly idleSeconds: number | null
}

export type SessionEnd =
  | 'logout'
  | 'replaced'
  | 'refresh_reused'
  | 'ended_by_user'
  | 'ended_by_operator'
  | 'token_revoked'

export interface Sessions {
  /** Inserts only while the user is active and still at that epoch. @returns null when not */
  open(session: NewSession): Promise<SessionState | null>
  /**
   * The rotation, one statement: generation g becomes g + 1 if the session is alive and at g. @returns null when not; also,
   * once, for a session that a change of credentials moved to a new epoch at this moment: so who finds it alive asks again
   * @param network where it is asked for from, as `networkOf` gives it
   */
  advance(id: string, generation: number, dialect: DialectName, idleSeconds: number | null, network?: string | null): Promise<SessionState | null>
  /**
   * The predecessor of this generation was used from another network than the rotation.
   * @returns how many generations in a row, and whether this is the first of its generation; null when the session moved on or ended
   */
  noteCrossing(id: string, generation: number): Promise<{ readonly inARow: number; readonly isFirst: boolean } | null>
  find(id: string): Promise<SessionState | null>
  /** @returns the session if this call ended it, null when it had been revoked before; one that ran out can still be revoked */
  revoke(id: string, because: SessionEnd): Promise<Session | null>
  /**
   * Moves the session that has just raised the user's epoch along with it.
   * @param epoch the new one; the session has to live at the one before
   * @returns false when it had ended already: then it stays dead
   */
  moveToEpoch(id: string, epoch: number): Promise<boolean>
  /** Moves all sessions that live at `from`: a change of role ends tokens, not sessions. */
  moveAllToEpoch(userId: string, from: number, to: number): Promise<void>
  /** Newest first. */
  listAlive(userId: string): Promise<Session[]>
  countAlive(userId: string): Promise<number>
  /** Newest first, of everybody or of one user, after the given id. */
  listAllAlive(page: { before: string | null; limit: number; userId?: string | null }): Promise<Session[]>
}

export interface NewApiKey {
  readonly id: string
  readonly userId: string
  readonly name: string
  readonly hash: Buffer
  readonly hint: string
  readonly scopes: readonly string[] | null
  readonly expiresAt: Date | null
}

export interface ApiKeyState {
  readonly key: ApiKey
  readonly owner: User
}

export interface ApiKeys {
  /** Holds the owner's row, so that parallel creations are counted. @returns null when the quota is full */
  insert(key: NewApiKey, quota: number): Promise<ApiKey | null>
  /** Unexpired keys of active owners only. */
  findByHash(hash: Buffer): Promise<ApiKeyState | null>
  find(id: string, userId: string): Promise<ApiKey | null>
  list(userId: string): Promise<ApiKey[]>
  listAll(page: { after: string | null; limit: number }): Promise<ApiKey[]>
  countAlive(userId: string): Promise<number>
  /** @param userId null: whoever owns it. @returns false for an unknown key or another user's */
  delete(id: string, userId: string | null): Promise<boolean>
  /** Inside a transaction that holds the user. @returns the ids of all keys, and how many of them had not expired */
  deleteAll(userId: string): Promise<{ ids: string[]; alive: number }>
  /**
   * One statement: a key that lives ends within so many seconds, and never later than it would have.
   * @returns the key with the end that it was made with, for its successor; null for an unknown key, another user's, or one that has ended
   */
  retire(id: string, userId: string, seconds: number): Promise<ApiKey | null>
  /** Batched; never moves `last_used_at` back. */
  touch(lastUsed: ReadonlyMap<string, Date>): Promise<void>
}

export interface NewClient {
  readonly id: string
  readonly name: string
  readonly secretHash: Buffer | null
  readonly jwks: PublicKeySet | null
  readonly scopes: readonly string[]
  readonly accessSeconds: number | null
}

export interface Clients {
  insert(client: NewClient): Promise<Client>
  find(id: string): Promise<Client | null>
  /** The client, if the hash is that of its secret, or of the one before while that still serves. */
  findBySecret(id: string, secretHash: Buffer): Promise<Client | null>
  /** Inside a transaction: until it is over nobody else changes the client, or acts on its authority. */
  hold(id: string): Promise<void>
  /** By name. */
  list(): Promise<Client[]>
  /** The secret before goes on serving for the overlap. @returns false for an unknown client, and one without a secret */
  replaceSecret(id: string, secretHash: Buffer, overlapSeconds: number): Promise<boolean>
  /** No secret serves from here on. @returns false for an unknown client */
  replaceKeys(id: string, jwks: PublicKeySet): Promise<boolean>
  /** Tokens of the client are dead from here on. @returns the new effective epoch, null for an unknown client */
  raiseEpoch(id: string): Promise<number | null>
  delete(id: string): Promise<boolean>
  /** One statement: true once for an assertion. */
  useAssertion(id: string, jti: string, expiresAt: Date): Promise<boolean>
}

/** Whose failures are counted: a user id, or `unknown:` and a keyed hash. Strangers and known origins are counted apart. */
export interface AttemptCounter {
  readonly subject: string
  readonly origin: 'known' | 'unknown'
}

export type Reservation =
  | { readonly verdict: 'granted'; readonly id: string }
  | { readonly verdict: 'locked' | 'pin_closed' }
  | { readonly verdict: 'busy' }

export interface LockoutPolicy {
  readonly freeFailures: number
  readonly firstWaitSeconds: number
  readonly longestWaitSeconds: number
  readonly pinFailures: number
  /** A reservation that was never settled (its node died) stops counting after this time. */
  readonly reservationSeconds: number
}

/** Of one account, from one of the two sorts of origins. */
export interface OriginFailures {
  /** Since the last success. */
  readonly failures: number
  readonly wrongPins: number
  /** null: no wait is under way. */
  readonly lockedUntil: Date | null
  readonly pinClosed: boolean
}

export interface Attempts {
  /** What failures did to this user. An origin that nobody failed from is not there. */
  find(userId: string, policy: LockoutPolicy): Promise<Partial<Record<AttemptCounter['origin'], OriginFailures>>>
  /** One statement. `busy`: others are being evaluated, ask again in a moment. */
  reserve(counter: AttemptCounter, factor: 'password' | 'pin', policy: LockoutPolicy): Promise<Reservation>
  /** @param reservationId null: a failure that was not evaluated; runs the same statement and changes nothing */
  settleFailure(counter: AttemptCounter, reservationId: string | null, factor: 'password' | 'pin', policy: LockoutPolicy): Promise<void>
  settleSuccess(counter: AttemptCounter, reservationId: string, policy: LockoutPolicy): Promise<void>
  /** The attempt was never evaluated (the hash queue was full). */
  release(counter: AttemptCounter, reservationId: string): Promise<void>
  /** Lifts every wait of a user. A closed PIN stays closed. */
  unlock(userId: string): Promise<void>
  /** A new PIN starts with no failures. */
  reopenPin(userId: string): Promise<void>
  /** Inside a transaction: keeps everybody else from this user's counters until it ends. */
  hold(userId: string): Promise<void>
}

/** What the nodes of one database agree on, whatever the environment of whoever asks says. */
export interface Fleet {
  /** The longest life that any token may have been signed with. Revocations and retired keys outlive it. */
  longestTokenSeconds(): Promise<number>
  /** Raises that bound where it is lower. Once it resolves, tokens of this lifetime may be signed. */
  allowTokensOf(seconds: number): Promise<void>
  /** Name of a setting → its text; null: not set. Empty before the first start of a service. */
  settings(): Promise<ReadonlyMap<string, string | null>>
  adopt(settings: ReadonlyMap<string, string | null>): Promise<void>
}

export interface Revocations {
  /** Inside a transaction: takes the writers' lock, draws a number, writes the row, notifies. */
  announce(revocation: NewRevocation): Promise<void>
  /** Makes this node obey the end of a session that was announced before, and that it may not have heard of yet. */
  recall(sessionId: string): Promise<void>
  /** Rows above the cursor that have not expired, in order. */
  after(seq: number): Promise<Revocation[]>
  /** Asks the database what memory would answer, when memory may be stale. */
  isTokenDead(token: TokenIdentity): Promise<boolean>
}

/** Whether the word of somebody who makes a change still counts (domain/authority.ts). */
export interface Authorities {
  /** Inside a transaction, after all that it may have to wait for: waits for whoever ends the holder's authority now; from then on that waits for us. */
  hold(holder: Authority['holder']): Promise<void>
  find(holder: Authority['holder']): Promise<Standing>
}

/** What of an access token a revocation can hit. */
export interface TokenIdentity {
  readonly kind: 'session' | 'client'
  /** The user's id, or the client's. */
  readonly subject: string
  readonly sessionId: string
  readonly epoch: number
  readonly tokenId: string
}

export interface StoredDataKey {
  readonly kid: string
  readonly purpose: string
  readonly createdAt: Date
}

export interface StoredSigningKey {
  readonly kid: string
  readonly alg: string
  readonly publicJwk: Record<string, unknown>
  readonly publishedAt: Date
  readonly signsFrom: Date
  readonly revokedAt: Date | null
}

export interface KeyWrap {
  readonly kid: string
  readonly kekId: string
  readonly wrapped: Buffer
}

export interface Keys {
  /** Inside a transaction: only one node at a time creates or re-wraps keys. */
  lock(): Promise<void>
  dataKeys(): Promise<StoredDataKey[]>
  insertDataKey(key: { kid: string; purpose: string }): Promise<void>
  /** Published keys, the oldest first: not retired. Revoked ones too, so that a node sees the word. */
  signingKeys(): Promise<StoredSigningKey[]>
  /** @param signsAfterSeconds 0: at once */
  insertSigningKey(key: { kid: string; alg: string; publicJwk: Record<string, unknown>; signsAfterSeconds: number }): Promise<void>
  revokeSigningKey(kid: string): Promise<boolean>
  /** Withdraws keys whose successor has signed for longer than the longest token lives, and `marginSeconds` more. @returns their kids */
  retireSigningKeys(marginSeconds: number): Promise<string[]>
  wraps(): Promise<KeyWrap[]>
  insertWraps(wraps: readonly KeyWrap[]): Promise<void>
  /** Once the master secret has been changed everywhere: wraps of other secrets whose first wrap is older than this one's. */
  deleteSupersededWraps(kekId: string): Promise<void>
  /** Tells every node to read the signing keys again. */
  notifyChange(): Promise<void>
}

export interface AuditTrail {
  append(event: AuditEvent): Promise<void>
  /** Newest first. */
  list(page: AuditPage): Promise<StoredAuditEvent[]>
  /** What the sealer has taken, in the order of the chain: whoever goes on after the last number misses nothing. */
  listSealed(page: SealedAuditPage): Promise<SealedAuditEvent[]>
}

export interface AuditPage {
  readonly before: number | null
  readonly limit: number
  readonly userId?: string | null
  readonly type?: AuditEventType | null
  readonly since?: Date | null
}

export interface SealedAuditPage {
  readonly after: number
  readonly limit: number
  readonly since: Date | null
  /** The first moment that is not wanted any more. */
  readonly until: Date | null
}

/** An event as a seal covers it. */
export interface SealableEvent {
  readonly id: number
  readonly text: string
}

export interface Seal {
  readonly seq: number
  readonly eventId: number
  readonly mac: Buffer
  readonly kid: string
}

/** A seal, and what its event says now; null when the event is gone. */
export interface SealedEvent extends Seal {
  readonly text: string | null
}

export interface Checkpoint {
  readonly seq: number
  readonly mac: Buffer
  readonly proof: Buffer
  readonly kid: string
}

export interface AuditChain {
  /** Inside a transaction: only one node seals at a time. @returns false when another does */
  tryLock(): Promise<boolean>
  lastSeal(): Promise<Seal | null>
  /** Oldest first. */
  unsealed(limit: number): Promise<SealableEvent[]>
  /** How many events have no seal yet; of so many at most. */
  countUnsealed(most: number): Promise<number>
  insertSeals(seals: readonly Seal[]): Promise<void>
  /** In the order of the chain. */
  sealsAfter(seq: number, limit: number): Promise<SealedEvent[]>
  /** Events that are older than the sealer takes, and have no seal: put in beside the chain, or stripped of it. */
  overlooked(): Promise<number[]>
  lastCheckpoint(): Promise<Checkpoint | null>
  insertCheckpoint(checkpoint: Checkpoint): Promise<void>
  /** The last seal whose event, and all before, are older. */
  lastSealBefore(at: Date): Promise<Seal | null>
  /** Deletes events and seals up to and with this one. @returns how many events */
  deleteUpTo(seq: number): Promise<number>
}

/** What the service needs of the access token machinery (plugins/access-token.ts). */
export interface AccessTokens {
  /** Compact JWS of exactly these claims, by the current signing key; its header begins with `kid`. */
  sign(claims: Readonly<Record<string, unknown>>, typ: 'at+jwt' | 'JWT' | 'identity+jwt'): string
  /**
   * Signature, algorithm, key and header, and the claims that every access token has.
   * @throws AuthError access_token_invalid | access_token_expired
   */
  verify(token: string): Promise<AccessClaims>
}

export interface AccessClaims {
  readonly sub: string
  readonly sid: string
  readonly ep: number
  readonly jti: string
  readonly scope: string
  readonly amr: readonly string[]
  readonly iat: number
  readonly exp: number
  /** null: a token that an earlier version issued. */
  readonly clientId: string | null
  readonly username: string | null
  readonly email: string | null
}

/** The live revocations, in memory (plugins/revocations.ts). */
export interface RevocationCheck {
  /** @throws AuthError unavailable when memory is stale and the database does not answer */
  isTokenDead(token: TokenIdentity): Promise<boolean>
  /** Whether what memory holds is recent enough to be believed. */
  isFresh(): boolean
}

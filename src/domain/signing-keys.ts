import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { change } from './authority.js'
import type { Keyring } from './keyring.js'
import type { Actor, Operator } from './model.js'
import type { Clock, KeyWrap, Repository, StoredSigningKey } from './ports.js'

export type SigningAlg = 'ES256' | 'EdDSA' | 'RS256'

/** RFC 7517, RFC 7518 §6. It has no place for a private member. */
export interface PublicJwk {
  readonly kid: string
  readonly kty: string
  readonly use: 'sig'
  readonly alg: SigningAlg
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

export interface SigningKey {
  readonly kid: string
  readonly alg: SigningAlg
  readonly publicJwk: PublicJwk
  readonly publicPem: string
  readonly privatePem: string
  readonly signsFrom: Date
}

/** The keys that sign and verify, as this node has last read them. */
export interface SigningKeys {
  /** The newest key whose time has come. */
  current(): SigningKey
  find(kid: string): SigningKey | null
  /** As `find`; for a key that this node has not been told of yet the database is asked, at most once a second whoever asks. */
  lookUp(kid: string): Promise<SigningKey | null>
  /** Oldest first. */
  published(): readonly SigningKey[]
  reload(): Promise<void>
  /** A new key, published at once, signing after the max-age. @returns its kid */
  rotate(actor: Operator): Promise<string>
  /**
   * Makes a new key, published at once, where the newest is too old; withdraws keys whose last token has expired. On several
   * nodes at once it is done once.
   * @returns the kids
   */
  maintain(limits: SigningKeyLimits): Promise<{ created: string | null; retired: string[] }>
  /** An emergency: tokens of this key are refused from now on. If it was the current one, a new key signs at once. */
  revoke(kid: string, actor: Operator): Promise<boolean>
}

export interface SigningKeyLimits {
  /** How old the newest key may be. null: whatever its age. Seconds. */
  readonly newestMaySignSeconds: number | null
}

/** Clocks differ a little, and expired tokens are tolerated for a moment: a key is not needed to the second. */
const retirementMarginSeconds = 60

const lookUpEveryMs = 1000

/** What a kid of ours looks like. The database is asked about nothing else. */
const kidPattern = /^[\w-]{22}$/

/** The beginning of the hash of the public key (DER), base64url. No hyphen at the start: a command would take it for an option. */
export const kidOf = (publicKey: Buffer): string => createHash('sha256').update(publicKey).digest('base64url').slice(0, 22).replace(/^-/, '_')

/** Who rotates when nobody does by hand. */
const schedule: Actor = { kind: 'service', id: 'schedule' }

export type SigningKeyState = 'signs' | 'signs soon' | 'verifies' | 'revoked'

/** A key as operators see it: nothing in it signs. */
export interface SigningKeyReport extends Pick<StoredSigningKey, 'kid' | 'alg' | 'publishedAt' | 'signsFrom' | 'revokedAt'> {
  readonly state: SigningKeyState
}

/** From the rows alone: to look must change nothing. Oldest first. */
export async function reportSigningKeys({ repository, clock }: Pick<SigningKeysOptions, 'repository' | 'clock'>): Promise<SigningKeyReport[]> {
  const keys = await repository.keys.signingKeys()
  const now = clock.now()
  const signing = keys.findLast(({ signsFrom, revokedAt }) => revokedAt === null && signsFrom <= now)
  const stateOf = (key: StoredSigningKey): SigningKeyState => {
    if (key.revokedAt !== null) return 'revoked'
    if (key === signing) return 'signs'
    return key.signsFrom > now ? 'signs soon' : 'verifies'
  }
  return keys.map((key) => ({ kid: key.kid, alg: key.alg, state: stateOf(key), publishedAt: key.publishedAt, signsFrom: key.signsFrom, revokedAt: key.revokedAt }))
}

const generate = promisify(generateKeyPair)

const generators = {
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generate('ed25519'),
  RS256: () => generate('rsa', { modulusLength: 2048 }),
} as const satisfies Record<SigningAlg, () => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>>

export interface SigningKeysOptions {
  readonly repository: Repository
  readonly keyring: Keyring
  readonly clock: Clock
  readonly alg: SigningAlg
  /** How long verifiers may keep the JWKS: a new key is published for this long before it signs. Seconds. */
  readonly maxAgeSeconds: number
}

/** Loads the keys; creates the first one, or one of the configured algorithm where the newest has another. */
export async function openSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { repository, keyring, clock } = options
  let keys: SigningKey[] = []

  async function reload(): Promise<void> {
    const [stored, wraps] = [await repository.keys.signingKeys(), await repository.keys.wraps()]
    keys = stored.filter((key) => key.revokedAt === null).flatMap((key) => openKey(key, wraps, keyring))
  }

  const find = (kid: string): SigningKey | null => keys.find((key) => key.kid === kid) ?? null
  let askedAtMs = -Infinity

  /** Anybody can make up kids: what is not in the list costs one query, and no more within the second. */
  async function ask(kid: string): Promise<void> {
    const nowMs = clock.now().getTime()
    if (Math.abs(nowMs - askedAtMs) < lookUpEveryMs) return
    askedAtMs = nowMs
    const isThere = (await repository.keys.signingKeys()).some((key) => key.kid === kid && key.revokedAt === null)
    if (isThere) await reload()
  }

  async function add(tx: Repository, signsAfterSeconds: number): Promise<string> {
    const { publicKey, privateKey } = await generators[options.alg]()
    const kid = kidOf(publicKey.export({ format: 'der', type: 'spki' }))
    await tx.keys.insertSigningKey({ kid, alg: options.alg, publicJwk: { ...publicJwkOf(publicKey, kid, options.alg) }, signsAfterSeconds })
    await tx.keys.insertWraps(keyring.wrap(kid, privateKey.export({ format: 'der', type: 'pkcs8' })))
    await tx.keys.notifyChange()
    return kid
  }

  async function addSuccessor(tx: Repository, actor: Operator): Promise<string> {
    const kid = await add(tx, options.maxAgeSeconds)
    await tx.audit.append({ type: 'signing_key_rotated', actor, origin: actor.origin ?? null, detail: { kid } })
    return kid
  }

  async function ensureKey(tx: Repository): Promise<void> {
    await tx.keys.lock()
    const usable = (await tx.keys.signingKeys()).filter((key) => key.revokedAt === null)
    const newest = usable.at(-1)
    if (newest?.alg !== options.alg) await add(tx, newest ? options.maxAgeSeconds : 0)
  }

  await repository.transaction(ensureKey)
  await reload()

  return {
    current() {
      const now = clock.now()
      const key = keys.findLast(({ signsFrom }) => signsFrom <= now) ?? keys[0]
      if (!key) throw new Error('there is no signing key')
      return key
    },
    find,
    async lookUp(kid) {
      // A database that does not answer makes no key known, and what fails a check stays refused.
      if (find(kid) === null && kidPattern.test(kid)) await ask(kid).catch(() => undefined)
      return find(kid)
    },
    published: () => keys,
    reload,
    async rotate(actor) {
      const kid = await change({ repository }, actor.authority ?? null, async (tx) => {
        await tx.keys.lock()
        return { result: await addSuccessor(tx, actor) }
      })
      await reload()
      return kid
    },
    async maintain(limits) {
      const done = await repository.transaction(async (tx) => {
        await tx.keys.lock()
        const created = (await isNewestTooOld(tx, limits, clock.now())) ? await addSuccessor(tx, schedule) : null
        const retired = await tx.keys.retireSigningKeys(retirementMarginSeconds)
        if (retired.length > 0) await tx.keys.notifyChange()
        return { created, retired }
      })
      if (done.created !== null || done.retired.length > 0) await reload()
      return done
    },
    async revoke(kid, actor) {
      const revoked = await change({ repository }, actor.authority ?? null, async (tx) => {
        await tx.keys.lock()
        if (!(await tx.keys.revokeSigningKey(kid))) return { result: false }
        const others = (await tx.keys.signingKeys()).filter((key) => key.revokedAt === null)
        if (!others.some(({ signsFrom }) => signsFrom <= clock.now())) await add(tx, 0)
        await tx.keys.notifyChange()
        return { result: true, events: [{ type: 'signing_key_revoked', actor, origin: actor.origin ?? null, detail: { kid } }] }
      })
      await reload()
      return revoked
    },
  }
}

async function isNewestTooOld(tx: Repository, { newestMaySignSeconds }: SigningKeyLimits, now: Date): Promise<boolean> {
  const newest = (await tx.keys.signingKeys()).findLast((key) => key.revokedAt === null)
  if (newestMaySignSeconds === null || newest === undefined) return false
  return newest.publishedAt.getTime() + newestMaySignSeconds * 1000 <= now.getTime()
}

function openKey(stored: StoredSigningKey, wraps: readonly KeyWrap[], keyring: Keyring): SigningKey[] {
  const alg = (['ES256', 'EdDSA', 'RS256'] as const).find((name) => name === stored.alg)
  const der = keyring.unwrap(wraps.filter(({ kid }) => kid === stored.kid))
  if (alg === undefined || der === null) return []
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  return [
    {
      kid: stored.kid,
      alg,
      publicJwk: publicJwkOf(publicKey, stored.kid, alg),
      publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      privatePem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      signsFrom: stored.signsFrom,
    },
  ]
}

function publicJwkOf(publicKey: KeyObject, kid: string, alg: SigningAlg): PublicJwk {
  const { kty = '', crv, x, y, n, e } = publicKey.export({ format: 'jwk' })
  return { kid, kty, use: 'sig', alg, ...(kty === 'RSA' ? { n, e } : { crv, x, y }) }
}

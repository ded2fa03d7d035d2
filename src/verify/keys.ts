import { createLocalJWKSet, errors, type CryptoKey, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import { membersOf } from './tessera-client.js'

/** The public keys that tessera publishes. */
export interface PublishedKeys {
  /** For `jwtVerify`. @throws JWKSNoMatchingKey, or what went wrong when they were to be read */
  find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey>
  /** What tessera says it publishes now: others than ours are read at once, so that a revoked key is forgotten and a new one known. */
  compare(kids: readonly string[]): void
  stop(): void
}

export interface PublishedKeysOptions {
  readonly url: string
  readonly fetch: typeof fetch
  readonly onError: (error: unknown) => void
}

const everyMs = 30_000
const timeoutMs = 2000
/** For an unknown `kid`, which anybody can make up: no sooner after the last time that they were asked for, in vain or not. */
const unknownKidMs = 5000
/** For what we were told by tessera itself. */
const differenceMs = 1000

/** Kept for as long as tessera does not answer, and read again while it does. */
export function followPublishedKeys({ url, fetch: call, onError }: PublishedKeysOptions): PublishedKeys {
  let keys: { readonly kids: ReadonlySet<string>; readonly find: ReturnType<typeof createLocalJWKSet> } | null = null
  let reading: Promise<void> | null = null
  let askedAt = -Infinity

  async function read(): Promise<void> {
    askedAt = performance.now()
    const response = await call(url, { redirect: 'error', headers: { accept: 'application/jwk-set+json, application/json' }, signal: AbortSignal.timeout(timeoutMs) })
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`tessera answered ${response.status} to the question for its keys`)
    }
    const set = keySetIn(await response.json())
    keys = { kids: new Set(set.keys.map(({ kid = '' }) => kid)), find: createLocalJWKSet(set) }
  }

  const readOnce = (): Promise<void> =>
    (reading ??= read().finally(() => {
      reading = null
    }))

  const mayAskAfter = (ms: number): boolean => reading !== null || performance.now() - askedAt >= ms

  const timer = setInterval(() => {
    readOnce().catch(onError)
  }, everyMs)
  timer.unref()

  return {
    async find(header, token) {
      const { kid } = header
      if (keys === null && mayAskAfter(differenceMs)) await readOnce()
      if (keys !== null && kid !== undefined && !keys.kids.has(kid) && mayAskAfter(unknownKidMs)) await readOnce()
      if (keys === null) throw new Error('the keys of tessera are not known yet')
      if (kid === undefined) throw new errors.JWKSNoMatchingKey()
      return keys.find(header, token)
    },
    compare(kids) {
      const known = keys?.kids
      const isSame = known?.size === kids.length && kids.every((kid) => known.has(kid))
      if (!isSame && reading === null && mayAskAfter(differenceMs)) readOnce().catch(onError)
    },
    stop() {
      clearInterval(timer)
    },
  }
}

/** `EdDSA` and `Ed25519` are one algorithm (RFC 9864), and such a key has no other. */
function forEitherName({ alg, ...key }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return alg === undefined || (key.kty === 'OKP' && key.crv === 'Ed25519') ? key : { ...key, alg }
}

function keySetIn(answer: unknown): JSONWebKeySet {
  const { keys } = membersOf(answer)
  if (!Array.isArray(keys)) throw new Error('the keys of tessera are not what was expected')
  return { keys: keys.map((key) => ({ kty: '', ...forEitherName(membersOf(key)) })) }
}

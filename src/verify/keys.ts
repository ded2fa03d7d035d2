import { createLocalJWKSet, errors, type CryptoKey, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import { membersOf, reasonOf } from './tessera-client.js'

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
  readonly onError: (error: Error) => void
}

const everyMs = 30_000
const timeoutMs = 2000
/** For an unknown `kid`, which anybody can make up: no sooner after the last time that they were asked for, in vain or not. */
const unknownKidMs = 5000
/** For what we were told by tessera itself. */
const differenceMs = 1000
/** A hundred keys of RSA are a tenth of this. */
const longestAnswer = 1_048_576

/** Kept for as long as tessera does not answer, and read again while it does. */
export function followPublishedKeys({ url, fetch: call, onError }: PublishedKeysOptions): PublishedKeys {
  let keys: { readonly kids: ReadonlySet<string>; readonly find: ReturnType<typeof createLocalJWKSet> } | null = null
  let reading: Promise<void> | null = null
  let reported: string | null = null
  let askedAt = -Infinity
  const stopping = new AbortController()

  async function read(): Promise<void> {
    askedAt = performance.now()
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(timeoutMs)])
    const response = await call(url, { redirect: 'error', headers: { accept: 'application/jwk-set+json, application/json' }, signal })
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`the answer is ${response.status}`)
    }
    const set = keySetIn(JSON.parse(await limitedText(response)))
    keys = { kids: new Set(set.keys.map(({ kid = '' }) => kid)), find: createLocalJWKSet(set) }
    reported = null
  }

  const readOnce = (): Promise<void> =>
    (reading ??= read()
      .catch((error: unknown) => {
        throw new Error(`the keys of tessera could not be read at ${url}: ${reasonOf(error)}`, { cause: error })
      })
      .finally(() => {
        reading = null
      }))

  /** Of a failure that repeats itself, once. */
  function readInBackground(): void {
    readOnce().catch((error: unknown) => {
      if (stopping.signal.aborted || !(error instanceof Error) || error.message === reported) return
      reported = error.message
      onError(error)
    })
  }

  const mayAskAfter = (ms: number): boolean => reading !== null || performance.now() - askedAt >= ms

  const timer = setInterval(readInBackground, everyMs)
  timer.unref()

  return {
    async find(header, token) {
      const { kid } = header
      if (keys === null && mayAskAfter(differenceMs)) await readOnce()
      if (keys !== null && kid !== undefined && !keys.kids.has(kid) && mayAskAfter(unknownKidMs)) await readOnce()
      if (keys === null) throw new Error('the keys of tessera are not known yet')
      if (kid === undefined || kid === '') throw new errors.JWKSNoMatchingKey()
      return keys.find(header, token)
    },
    compare(kids) {
      const known = keys?.kids
      const isSame = known?.size === kids.length && kids.every((kid) => known.has(kid))
      if (!isSame && reading === null && mayAskAfter(differenceMs)) readInBackground()
    },
    stop() {
      clearInterval(timer)
      stopping.abort()
    },
  }
}

/** `EdDSA` and `Ed25519` are one algorithm (RFC 9864), and such a key has no other. */
function forEitherName({ alg, ...key }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return alg === undefined || (key.kty === 'OKP' && key.crv === 'Ed25519') ? key : { ...key, alg }
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    const bytes: unknown = part
    if (!(bytes instanceof Uint8Array)) throw new Error('the answer cannot be read')
    length += bytes.length
    if (length > longestAnswer) throw new Error('the answer is too long')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function keySetIn(answer: unknown): JSONWebKeySet {
  const { keys } = membersOf(answer)
  if (!Array.isArray(keys)) throw new Error('what is there is no key set')
  return { keys: keys.map((key) => ({ kty: '', ...forEitherName(membersOf(key)) })) }
}

import jwt from '@fastify/jwt'
import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { createSigner } from 'fast-jwt'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { AuthError } from '../src/domain/errors.js'
import type { AccessClaims, AccessTokens, Clock } from '../src/domain/ports.js'
import type { SigningKey, SigningKeys } from '../src/domain/signing-keys.js'
import type { TokenBound } from '../src/domain/token-bound.js'

declare module 'fastify' {
  interface FastifyInstance {
    accessTokens: AccessTokens
    tokenBound: TokenBound
  }
}

export interface AccessTokenOptions {
  signingKeys: SigningKeys
  clock: Clock
  issuer: string
  audience: string
  /** A token that lives longer than any setting has ever allowed is forged. */
  bound: TokenBound
}

/** RFC 9068 §2.2, and `sid`, `ep`. What else a token carries is of no concern here. */
const Claims = Type.Object({
  iss: Type.String(),
  aud: Type.String(),
  sub: Type.String({ minLength: 1 }),
  sid: Type.String({ minLength: 1 }),
  ep: Type.Integer({ minimum: 0 }),
  jti: Type.String({ minLength: 1 }),
  iat: Type.Integer(),
  exp: Type.Integer(),
  nbf: Type.Optional(Type.Integer()),
  scope: Type.String(),
  amr: Type.Optional(Type.Array(Type.String())),
  // Tokens of the version before this one have none.
  client_id: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
})
const claimsCheck = TypeCompiler.Compile(Claims)

const Header = Type.Object({ alg: Type.String(), kid: Type.String(), typ: Type.Literal('at+jwt') }, { additionalProperties: false })
const headerCheck = TypeCompiler.Compile(Header)

/** What the verifier of @fastify/jwt gives with `complete`. */
interface Decoded {
  readonly header: object
  readonly payload: object
}

const toleranceSeconds = 5
const cachedTokens = 10_000

/** Signs and verifies access tokens with the keys of the service (RFC 7519, 9068, 8725). */
async function accessTokenPlugin(fastify: FastifyInstance, options: AccessTokenOptions): Promise<void> {
  await fastify.register(jwt, {
    secret: { public: publicKeyOf(options.signingKeys) },
    // Times are checked below, by the injected clock, and again at every hit of this cache.
    verify: { algorithms: ['ES256', 'EdDSA', 'RS256'], complete: true, cache: cachedTokens, ignoreExpiration: true, ignoreNotBefore: true, errorCacheTTL: 0 },
  })

  fastify.decorate('tokenBound', options.bound)
  fastify.decorate('accessTokens', {
    sign: (claims, typ) => signerOf(options.signingKeys.current(), typ)({ ...claims }),
    async verify(token) {
      if (!endsCanonically(token)) throw invalid('spelling')
      const { header, payload } = await verifySignature(fastify, token)
      const { kid } = checkedHeader(header)
      // The signature may come from the cache, and its key may have been withdrawn since.
      if (options.signingKeys.find(kid) === null) throw invalid('withdrawn key')
      const claims = checkedClaims(payload, options)
      const lifetimeSeconds = claims.exp - claims.iat
      if (lifetimeSeconds > options.bound.seconds() && !(await options.bound.allows(lifetimeSeconds))) throw invalid('times')
      if (hasEnded(claims, options.clock)) throw new AuthError('access_token_expired')
      return toAccessClaims(claims)
    },
  })
}

/** A key is found by `kid`, and verifies its own algorithm only (RFC 8725 §3.1). A resolver must throw: no key would mean no check. */
const publicKeyOf = (signingKeys: SigningKeys) => async (decoded: { header: unknown }): Promise<string> => {
  const header: unknown = decoded.header
  if (!headerCheck.Check(header)) throw new Error('not our header')
  const key = await signingKeys.lookUp(header.kid)
  if (key?.alg !== header.alg) throw new Error('unknown key')
  return key.publicPem
}

/**
 * fast-jwt writes alg, typ, kid; source 004 shows tokens that begin with `kid`. A header with a toJSON of its own is written
 * as that says (conformance tests watch over it).
 */
const kidFirst = (key: SigningKey, typ: string) => ({ alg: key.alg, typ, kid: key.kid, toJSON: () => ({ kid: key.kid, alg: key.alg, typ }) })

type Signer = (claims: Record<string, unknown>) => string

const signers = new WeakMap<SigningKey, Map<string, Signer>>()

/**
 * `fastify.jwt.sign` reads its key anew for each token, which takes ten times as long as the signature: so this is the signer
 * that it makes, kept as long as the key.
 */
function signerOf(key: SigningKey, typ: string): Signer {
  const ofKey = signers.get(key) ?? new Map<string, Signer>()
  signers.set(key, ofKey)
  const signer = ofKey.get(typ) ?? createSigner({ key: key.privatePem, algorithm: key.alg, header: kidFirst(key, typ) })
  ofKey.set(typ, signer)
  return signer
}

/** The letters that leave no bit of theirs unused, by how many a last group of the encoding has. */
const lastLetters: Readonly<Record<number, string>> = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' }

/** A signature of another spelling would verify too. The other parts are signed as they are written. */
function endsCanonically(token: string): boolean {
  const letters = (token.length - 1 - token.lastIndexOf('.')) % 4
  return letters === 0 || (lastLetters[letters]?.includes(token.charAt(token.length - 1)) ?? false)
}

const invalid = (cause: unknown): AuthError => new AuthError('access_token_invalid', { cause })

async function verifySignature(fastify: FastifyInstance, token: string): Promise<Decoded> {
  try {
    return await fastify.jwt.verify<Promise<Decoded>>(token)
  } catch (error) {
    throw invalid(error instanceof Error && 'code' in error ? error.code : 'malformed')
  }
}

function checkedHeader(header: object): Static<typeof Header> {
  if (!headerCheck.Check(header)) throw invalid('header')
  return header
}

function checkedClaims(payload: object, { issuer, audience, clock }: AccessTokenOptions): Static<typeof Claims> {
  if (!claimsCheck.Check(payload)) throw invalid('claims')
  if (payload.iss !== issuer || payload.aud !== audience) throw invalid('issuer or audience')
  const now = clock.now().getTime() / 1000
  const ahead = payload.iat > now + toleranceSeconds || (payload.nbf ?? 0) > now + toleranceSeconds
  if (payload.exp <= payload.iat || ahead) throw invalid('times')
  return payload
}

const hasEnded = ({ exp }: Static<typeof Claims>, clock: Clock): boolean => exp + toleranceSeconds <= clock.now().getTime() / 1000

const toAccessClaims = ({ sub, sid, ep, jti, scope, amr, iat, exp, client_id, username, email }: Static<typeof Claims>): AccessClaims => ({
  sub,
  sid,
  ep,
  jti,
  scope,
  amr: amr ?? [],
  iat,
  exp,
  clientId: client_id ?? null,
  // The dialect tokenset names a user without a username by the id.
  username: username === undefined || username === sub ? null : username,
  email: email ?? null,
})

export default fp(accessTokenPlugin, { name: 'access-token' })

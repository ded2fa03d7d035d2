import { errors, jwtVerify, type JWTHeaderParameters, type JWTPayload } from 'jose'
import { isCanonical } from './encoding.js'
import type { PublishedKeys } from './keys.js'
import { VerificationError, type VerifiedIdentity } from './options.js'
import type { TokenMarks } from './revocations.js'
import { unavailable } from './tessera-client.js'

/** What an access token says once its signature, its form and its times are verified. */
export interface AccessToken {
  readonly marks: TokenMarks
  readonly identity: VerifiedIdentity
  readonly lifetimeSeconds: number
}

export interface AccessTokenCheck {
  readonly issuer: string
  readonly audience: string
  readonly keys: Pick<PublishedKeys, 'find'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** `Ed25519` is the name that RFC 9864 gives to `EdDSA` with that curve. */
const algorithms = ['ES256', 'EdDSA', 'Ed25519', 'RS256']
const toleranceSeconds = 5
/** No token of tessera comes near: nothing is decoded beyond. */
const longestToken = 16_384

/**
 * By the same rules as tessera's own: RFC 9068 §4, RFC 8725.
 * @throws VerificationError invalid | expired | unavailable
 */
export async function verifyAccessToken(token: string, { issuer, audience, keys, now }: AccessTokenCheck): Promise<AccessToken> {
  if (token.length > longestToken || !isCanonical(token)) throw invalid()
  try {
    const { payload, protectedHeader } = await jwtVerify(token, (header, jws) => keys.find(header, jws), {
      issuer,
      audience,
      algorithms,
      clockTolerance: toleranceSeconds,
      currentDate: new Date(now()),
    })
    requireHeader(protectedHeader)
    return readClaims(payload, audience, now())
  } catch (error) {
    throw asVerificationError(error)
  }
}

const invalid = (cause?: unknown): VerificationError => new VerificationError('invalid', 'the token is invalid', cause)

/** Exactly these three, and `typ` in exactly this form: jose would take `application/AT+JWT`. */
function requireHeader({ typ, ...others }: JWTHeaderParameters): void {
  if (typ !== 'at+jwt' || !Object.keys(others).every((name) => name === 'alg' || name === 'kid')) throw invalid()
}

function readClaims(payload: JWTPayload, audience: string, nowMs: number): AccessToken {
  const { aud, sub, sid, ep, jti, iat, exp, nbf, scope, amr, username, email } = payload
  // jose takes any list that has our audience in it, and times with fractions.
  const hasTimes = isInteger(iat) && isInteger(exp) && iat < exp && iat <= nowMs / 1000 + toleranceSeconds && (nbf === undefined || isInteger(nbf))
  const isComplete = aud === audience && isText(sub) && isText(sid) && isText(jti) && isInteger(ep) && ep >= 0 && typeof scope === 'string'
  if (!hasTimes || !isComplete || !isOptionalText(username) || !isOptionalText(email) || !isOptionalList(amr)) throw invalid()
  const kind = sub === sid ? 'client' : 'user'
  return {
    marks: { kind, subject: sub, sessionId: sid, tokenId: jti, epoch: ep },
    lifetimeSeconds: exp - iat,
    identity: {
      kind,
      subject: sub,
      username: username ?? null,
      email: email ?? null,
      sessionId: kind === 'client' ? null : sid,
      scopes: scope.split(' ').filter((name) => name !== ''),
      expiresAt: new Date(exp * 1000),
    },
  }
}

const isInteger = (value: unknown): value is number => Number.isInteger(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isOptionalText = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string'
const isOptionalList = (value: unknown): boolean => value === undefined || (Array.isArray(value) && value.every((item) => typeof item === 'string'))

/** What the keys could not be fetched for is no fault of the token. */
function asVerificationError(error: unknown): VerificationError {
  if (error instanceof VerificationError) return error
  if (error instanceof errors.JWTExpired) return new VerificationError('expired', 'the token has expired: refresh it', error)
  const isAboutToken = error instanceof errors.JOSEError && error.code !== 'ERR_JWKS_INVALID'
  return isAboutToken ? invalid(error) : unavailable(error)
}

import { v7 as uuidv7 } from 'uuid'
import type { Config } from '../../src/config/index.js'
import type { Grant } from '../../src/domain/grants.js'
import type { User } from '../../src/domain/model.js'
import type { DialectPolicy } from '../../src/domain/service.js'

/** Every user of this dialect has a name in the tokens, as its clients expect. */
const nameOf = ({ id, username }: User): string => username ?? id

/** What the dialect adds to the claims of an access token. */
export const tokensetAccessClaims: DialectPolicy['accessClaims'] = (user) => ({ token_use: 'access', username: nameOf(user) })

/**
 * Who logged in, and when; issued and expiring with the access token of the grant.
 * @see OpenID Connect Core 1.0 §2
 */
export function idClaims({ publicUrl, tokensetClientId }: Pick<Config, 'publicUrl' | 'tokensetClientId'>, { state, issuedAt, accessSeconds }: Grant) {
  const { session, user } = state
  const iat = secondsOf(issuedAt)
  return {
    iss: publicUrl.href,
    sub: user.id,
    aud: tokensetClientId,
    token_use: 'id',
    auth_time: secondsOf(session.authTime),
    iat,
    exp: iat + accessSeconds,
    jti: uuidv7(),
    email: user.email,
    email_verified: user.emailVerified,
    'cognito:username': nameOf(user),
  }
}

const secondsOf = (date: Date): number => Math.floor(date.getTime() / 1000)

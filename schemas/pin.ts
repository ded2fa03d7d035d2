import { Type } from '@sinclair/typebox'
import { Identifier, Otp, Secret } from './common.js'

const Failure = (description: string) => Type.Object({ message: Type.String() }, { title: 'PinError', description })

/** What every route of the dialect may answer besides its own. */
export const failures = {
  400: Failure('What is wrong with the request.'),
  403: Failure('`Cross-site request refused`'),
  413: Failure('`Request body too large`'),
  415: Failure('`Unsupported media type`'),
  429: Failure('`Too many requests`: see `Retry-After`.'),
  500: Failure('`Internal server error`'),
  503: Failure('`Service unavailable, try again`: see `Retry-After`.'),
}

export const InvalidCredentials = Failure('`Invalid credentials`: unknown name, wrong PIN, missing or wrong code, locked or suspended account.')
export const InvalidToken = Failure('`Invalid token`: the cookie `refreshToken` is missing, expired, revoked or not ours.')
export const Unauthorized = Failure('`Unauthorized API access`: no valid access token.')

const setCookie = (description: string) => ({ 'Set-Cookie': { type: 'string', description } })

export const LoginBody = Type.Object({
  name: Identifier('The username. Case does not matter.'),
  pin: Secret('The PIN.'),
  otp: Type.Optional(Otp),
}, { title: 'PinLogin', examples: [{ name: 'cooluser1', pin: '0000' }] })

export const LoginAnswer = Type.Object(
  { message: Type.Literal('Login successful') },
  { title: 'PinLoggedIn', description: 'Sets the cookies `accessToken` and `refreshToken`.', headers: setCookie('`accessToken` and `refreshToken`, in a header each.') },
)

export const RefreshAnswer = Type.Object(
  {
    message: Type.Literal('Access token refreshed successfully'),
    accessToken: Type.String({ description: 'JWT; the cookie `accessToken` has it too.' }),
  },
  { title: 'PinRefreshed', description: 'Updates the cookies `accessToken` and `refreshToken`.', headers: setCookie('`accessToken` and `refreshToken`, in a header each.') },
)

export const LogoutAnswer = Type.Object(
  { message: Type.Literal('Logout successful') },
  { title: 'PinLoggedOut', description: 'Deletes the cookies `accessToken` and `refreshToken`.', headers: setCookie('Deletes `accessToken` and `refreshToken`, in a header each.') },
)

import { Type } from '@sinclair/typebox'
import { Identifier, Otp, Secret } from './common.js'

const Failure = (description: string) =>
  Type.Object({ statusCode: Type.Integer(), statusMessage: Type.String(), error: Type.String() }, { title: 'TokensetError', description })

/** What both routes may answer besides their own. */
export const failures = {
  403: Failure('`Forbidden`: a foreign page asks, and the browser sent the cookie `accessToken` along.'),
  413: Failure('`Payload Too Large`'),
  415: Failure('`Unsupported Media Type`'),
  429: Failure('`Too Many Requests`: see `Retry-After`.'),
  500: Failure('`Internal Server Error`'),
  503: Failure('`Service Unavailable`: see `Retry-After`.'),
}

export const LoginFailed = Failure('`Login failed`: `Incorrect username or password.`, or what is wrong with the request.')

export const RefreshFailed = Type.Object(
  { statusCode: Type.Integer(), statusMessage: Type.String(), error: Type.Optional(Type.String()) },
  { title: 'TokensetRefreshError', description: '`Failed to refresh token`, `Missing refresh token` (without `error`), or `Bad Request` and what is wrong with it.' },
)

export const LoginBody = Type.Object({
  username: Identifier('The username, or the email address. Case does not matter.'),
  password: Secret('The password.'),
  otp: Type.Optional(Otp),
}, { title: 'TokensetLogin', examples: [{ username: 'jane.doe', password: 'correct horse battery staple' }] })

export const RefreshBody = Type.Object({
  refreshtoken: Type.Optional(Type.String({ description: 'The refresh token.' })),
  refreshToken: Type.Optional(Type.String({ description: 'The same, as the answer of the login spells it. One of the two is enough.' })),
}, { title: 'TokensetRefresh', examples: [{ refreshtoken: 'the refresh token of your login' }] })

export const TokensAnswer = Type.Object({
  statusCode: Type.Literal(200),
  statusMessage: Type.Literal('OK'),
  tokens: Type.Object({
    idToken: Type.String({ description: 'JWT that says who the user is. No access token.' }),
    accessToken: Type.String({ description: 'JWT, to be sent as `Authorization: Bearer`.' }),
    refreshToken: Type.String({ description: 'JWT, good for one refresh, which gives its successor.' }),
  }, { title: 'Tokens' }),
}, { title: 'TokensetAnswer' })

import { Type } from '@sinclair/typebox'
import { Identifier, Otp, Secret } from './common.js'

/** Where the answer of login and refresh stands: at the top level, under `data`, or both. */
export type Envelope = 'both' | 'data' | 'none'

export const Failure = (description: string) =>
  Type.Object(
    {
      errors: Type.Array(
        Type.Object({
          message: Type.String(),
          extensions: Type.Object({
            code: Type.String(),
            reason: Type.Optional(Type.String({ description: 'With INVALID_PAYLOAD.' })),
          }, { title: 'DirectusErrorExtensions' }),
        }, { title: 'DirectusErrorItem' }),
      ),
    },
    { title: 'DirectusError', description },
  )

/** What every route of the dialect may answer besides its own. */
export const failures = {
  400: Failure('INVALID_PAYLOAD'),
  403: Failure('FORBIDDEN'),
  413: Failure('CONTENT_TOO_LARGE'),
  415: Failure('UNSUPPORTED_MEDIA_TYPE'),
  429: Failure('REQUESTS_EXCEEDED: see `Retry-After`.'),
  500: Failure('INTERNAL_SERVER_ERROR'),
  503: Failure('SERVICE_UNAVAILABLE: see `Retry-After`.'),
}

export const LoginRefused = Failure('INVALID_CREDENTIALS, whatever the reason; INVALID_OTP when the password was right.')
export const InvalidRefreshToken = Failure('INVALID_CREDENTIALS: the refresh token is expired, revoked or not ours.')

export const Mode = Type.Union([Type.Literal('json'), Type.Literal('cookie')], {
  title: 'DirectusMode',
  description: 'Where the refresh token goes: into the answer, or into the httpOnly cookie `directus_refresh_token`.',
})

export const LoginBody = Type.Object({
  email: Identifier('The email address. Case does not matter.'),
  password: Secret('The password.'),
  otp: Type.Optional(Otp),
  mode: Type.Optional(Mode),
}, { title: 'DirectusLogin', examples: [{ email: 'admin@example.com', password: 'Z1Tu5' }] })

const refreshToken = Type.Optional(Type.String({ description: 'Beats the cookie `directus_refresh_token`, which serves when this is absent or empty.' }))

export const RefreshBody = Type.Object({ refresh_token: refreshToken, mode: Type.Optional(Mode) }, { title: 'DirectusRefresh', examples: [{ refresh_token: 'the refresh token of your login', mode: 'json' }] })

export const LogoutBody = Type.Object({ refresh_token: refreshToken, mode: Type.Optional(Mode) }, { title: 'DirectusLogout', examples: [{ refresh_token: 'the refresh token of your login', mode: 'json' }] })

export const Tokens = Type.Object({
  access_token: Type.String({ description: 'JWT, to be sent as `Authorization: Bearer`.' }),
  expires: Type.Integer({ description: 'Life of the access token, in milliseconds.' }),
  refresh_token: Type.Optional(Type.String({ description: 'Absent when it went into the cookie.' })),
  expires_at: Type.String({ format: 'date-time', description: 'When the access token expires (RFC 3339).' }),
}, { title: 'DirectusTokens' })

const answerOptions = {
  title: 'DirectusTokensAnswer',
  description: 'The tokens; in mode `cookie` the refresh token is in the cookie `directus_refresh_token`.',
  headers: { 'Set-Cookie': { type: 'string', description: 'In mode `cookie`: `directus_refresh_token`. From a cookie to mode `json`: deletes it.' } },
}

const answers = {
  both: Type.Object({ data: Tokens, ...Tokens.properties }, answerOptions),
  data: Type.Object({ data: Tokens }, answerOptions),
  none: Type.Object(Tokens.properties, answerOptions),
}

export const TokensAnswer = (envelope: Envelope) => answers[envelope]

export const LoggedOut = Type.Null({
  description: 'No body. An unknown token is no error.',
  headers: { 'Set-Cookie': { type: 'string', description: 'Deletes `directus_refresh_token`, if the request came with it.' } },
})

import { Type } from '@sinclair/typebox'
import { Identifier, Nullable, Otp, Secret } from './common.js'

const Failure = (description: string) => Type.Object({ error: Type.String() }, { title: 'BearerError', description })

/** What every route of the dialect may answer besides its own. */
export const failures = {
  400: Failure('What is wrong with the request.'),
  403: Failure('`Forbidden`: a foreign page asks, and the browser sent the cookie `accessToken` along.'),
  413: Failure('`Request body too large`'),
  415: Failure('`Unsupported media type`'),
  429: Failure('`Too many requests`: see `Retry-After`.'),
  500: Failure('`Internal server error`'),
  503: Failure('`Service unavailable, try again`: see `Retry-After`.'),
}

export const InvalidCredentials = Failure('`Invalid credentials`: unknown user, wrong password, missing or wrong code, locked or suspended account.')
export const InvalidRefreshToken = Failure('`Invalid or expired refresh token`')
export const AuthenticationRequired = Failure('`Authentication required`: no credential, or a bad one. See `WWW-Authenticate`.')
export const Forbidden = Failure('An API key may not do this.')
export const ScopeNeeded = Failure('A key that was narrowed to other scopes than `profile` sees none.')
export const ScopeForbidden = Failure('An API key may not do this, or the caller lacks a scope that was asked for.')
export const KeyNotFound = Failure('`API key not found`: unknown, malformed, or another user’s.')
export const QuotaReached = Failure('The user has as many API keys as one may have.')

const accessToken = Type.String({ description: 'JWT, to be sent as `Authorization: Bearer`.' })
const refreshToken = Type.String({ description: 'Good for one refresh, which gives its successor.' })
const expiresIn = Type.Integer({ description: 'Life of the token, in seconds.' })

export const LoginBody = Type.Object({
  username: Identifier('The username. Case does not matter.'),
  password: Secret('The password.'),
  otp: Type.Optional(Otp),
}, { title: 'BearerLogin', examples: [{ username: 'jane.doe', password: 'correct horse battery staple' }] })

export const LoginAnswer = Type.Object({
  token: accessToken,
  expires_in: expiresIn,
  user: Type.Object({
    id: Type.String({ description: '`user_` and the id that tokens carry as `sub`.' }),
    username: Nullable(Type.String(), 'null for a user who has none.'),
    email: Nullable(Type.String(), 'null for a user who has none.'),
  }, { title: 'BearerUser' }),
  refreshToken,
}, { title: 'BearerLoggedIn' })

export const RefreshBody = Type.Object({
  refreshToken: Type.String({ description: 'The refresh token of the login, or the successor that the last refresh gave.' }),
}, { title: 'BearerRefresh', examples: [{ refreshToken: 'the refresh token of your login' }] })

export const RefreshAnswer = Type.Object({ token: accessToken, expires_in: expiresIn, refreshToken }, { title: 'BearerRefreshed' })

export const LogoutAnswer = Type.Object({ message: Type.Literal('Successfully logged out') }, { title: 'BearerLoggedOut' })

const timestamp = (description: string) => Type.String({ format: 'date-time', description })

export const NewKeyBody = Type.Object({
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'For people: what the key is used for. `API key` if absent.' })),
  scopes: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 32, description: 'What the key may do. None: the ordinary rights of its owner, never `admin`.' })),
  expiresAt: Type.Optional(timestamp('When the key ends (RFC 3339). Absent: never.')),
}, { title: 'CreateApiKey', examples: [{ name: 'nightly report', scopes: ['profile'] }] })

export const RollBody = Type.Object({
  overlapSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_592_000, description: 'How long the old key lives on, in seconds. A day if absent.' })),
}, { title: 'RollApiKey', examples: [{ overlapSeconds: 3600 }] })

export const KeyParams = Type.Object({ keyId: Type.String({ description: '`key_…`, as the list has it.' }) })

const keyId = Type.String({ description: '`key_…`' })

export const NewKeyAnswer = Type.Object({
  keyId,
  apiKey: Type.String({ description: '`sk_live_…`, shown this once.' }),
  name: Type.String(),
  createdAt: timestamp('In whole seconds.'),
}, { title: 'CreatedApiKey' })

export const KeyListAnswer = Type.Array(
  Type.Object({
    keyId,
    name: Type.String(),
    createdAt: timestamp('In whole seconds.'),
    lastUsed: Nullable(Type.String({ format: 'date-time' }), 'At most a minute late; null until the key is used.'),
    scopes: Nullable(Type.Array(Type.String()), 'null: the ordinary rights of the owner.'),
    expiresAt: Nullable(Type.String({ format: 'date-time' }), 'null: never.'),
    hint: Type.String({ description: 'Enough to tell two keys apart.' }),
  }, { title: 'ApiKey' }),
  { title: 'ApiKeyList' },
)

export const NoContent = Type.Null({ description: 'No body.' })

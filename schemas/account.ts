import { Type, type TSchema } from '@sinclair/typebox'
import { Nullable, Otp, Secret } from './common.js'
import { Failure } from './directus.js'

/** What every call may answer besides its own. */
export const failures = {
  400: Failure('INVALID_PAYLOAD'),
  401: Failure('INVALID_CREDENTIALS: no credential, or a bad API key. TOKEN_EXPIRED.'),
  403: Failure('INVALID_TOKEN: a bad or revoked token. FORBIDDEN: an API key may not do this, or a foreign page asks.'),
  429: Failure('REQUESTS_EXCEEDED: see `Retry-After`.'),
  500: Failure('INTERNAL_SERVER_ERROR'),
  503: Failure('SERVICE_UNAVAILABLE: see `Retry-After`.'),
}

/** Of calls that take a body. */
export const bodyFailures = { ...failures, 413: Failure('CONTENT_TOO_LARGE'), 415: Failure('UNSUPPORTED_MEDIA_TYPE') }

export const WrongPassword = Failure('INVALID_CREDENTIALS: no credential, a bad API key, or a wrong password. TOKEN_EXPIRED.')
export const WrongOtp = Failure('INVALID_OTP: a wrong or used code. INVALID_CREDENTIALS: no credential, or a bad API key. TOKEN_EXPIRED.')
export const NoSuchSession = Failure('ROUTE_NOT_FOUND: no session of yours has this id, or it has ended.')

const Data = <Schema extends TSchema>(title: string, schema: Schema) => Type.Object({ data: schema }, { title: `${title}Answer` })

const time = (description: string) => Type.String({ format: 'date-time', description })

/** On answers to what ends other sessions. */
export const keysRemainingHeader = 'X-API-Keys-Remaining'

/** No body; a header says how many API keys live on. */
export const KeysRemaining = (description: string) => ({
  ...Type.Null({ description }),
  headers: { [keysRemainingHeader]: { type: 'integer', description: 'How many API keys of yours live on.' } },
})

const endKeys = Type.Optional(Type.Boolean({ description: 'Whether your API keys end too. If absent, they live on.' }))

export const EndSessionsQuery = Type.Object({ end_keys: endKeys })

export const EndSessionsBody = Type.Object({ end_keys: endKeys }, { title: 'EndOtherSessions', examples: [{ end_keys: true }] })

/** No body. */
export const Done = (description: string) => Type.Null({ description })

export const MeAnswer = Data(
  'Me',
  Type.Object({
    id: Type.String({ description: 'The `sub` of every token.' }),
    username: Nullable(Type.String(), 'null for a user who has none.'),
    email: Nullable(Type.String(), 'null for a user who has none.'),
    email_verified: Type.Boolean(),
    role: Type.String({ description: '`user` or `admin`.' }),
    status: Type.String({ description: '`active`: nobody else gets in.' }),
    tfa_enabled: Type.Boolean({ description: 'Whether a login asks for a code of the authenticator.' }),
    created_at: time('When the account was created.'),
  }, { title: 'Me' }),
)

export const ChangePasswordBody = Type.Object({
  current: Secret('The present password.'),
  new: Type.String({ minLength: 8, maxLength: 128, description: 'The new one: 8 to 128 characters, any of Unicode.' }),
  end_keys: endKeys,
}, { title: 'ChangePassword', examples: [{ current: 'correct horse battery staple', new: 'a longer passphrase of mine', end_keys: false }] })

export const SetPinBody = Type.Object({
  password: Secret('The password.'),
  pin: Type.String({ minLength: 4, maxLength: 12, description: 'The new PIN: 4 to 12 digits.' }),
  end_keys: endKeys,
}, { title: 'SetPin', examples: [{ password: 'correct horse battery staple', pin: '4821' }] })

export const GenerateTfaBody = Type.Object({ password: Secret('The password.') }, { title: 'GenerateTfa', examples: [{ password: 'correct horse battery staple' }] })

const totpSecret = (description: string) => Type.String({ maxLength: 128, description })

export const GenerateTfaAnswer = Data(
  'TotpSecret',
  Type.Object({
    secret: Type.String({ description: 'Base32, for typing into an authenticator. Good for ten minutes, in this session only.' }),
    otpauth_url: Type.String({ description: 'The same as `otpauth://totp/…`, for a QR code.' }),
  }, { title: 'TotpSecret' }),
)

export const EnableTfaBody = Type.Object({ secret: totpSecret('The secret that was generated.'), otp: Otp }, { title: 'EnableTfa', examples: [{ secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', otp: '492039' }] })

export const EnableTfaAnswer = Data(
  'RecoveryCodes',
  Type.Object({ recovery_codes: Type.Array(Type.String(), { description: 'Shown this once. Each serves as `otp` once, for who has lost the authenticator.' }) }, { title: 'RecoveryCodes' }),
)

export const DisableTfaBody = Type.Object({ otp: Otp }, { title: 'DisableTfa', examples: [{ otp: '492039' }] })

export const SessionsAnswer = Data(
  'MySessions',
  Type.Array(
    Type.Object({
      id: Type.String({ description: 'The `sid` of its tokens.' }),
      dialect: Type.String({ description: 'The API that it was opened through.' }),
      amr: Type.Array(Type.String(), { description: 'How the user proved who they are (RFC 8176): `pwd`, `pin`, `otp`.' }),
      created_at: time('The time of the login.'),
      expires_at: time('When it ends, however often it is refreshed.'),
      idle_expires_at: Nullable(Type.String({ format: 'date-time' }), 'When it ends unless it is refreshed before; null where that makes no difference.'),
      ip: Nullable(Type.String(), 'Where the login came from.'),
      user_agent: Nullable(Type.String(), 'What the login came from.'),
      current: Type.Boolean({ description: 'Whether it is the one that asks.' }),
    }, { title: 'MySession' }),
    { description: 'The newest first.' },
  ),
)

export const SessionParams = Type.Object({ id: Type.String({ description: 'As the list has it.' }) })

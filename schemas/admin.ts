import { Type, type TSchema } from '@sinclair/typebox'
import { Nullable } from './common.js'
import { matching } from './patterns.js'
import { Problem, problems } from './problem.js'

/** What every call may answer besides its own. */
export const failures = {
  ...problems,
  401: Problem('No credential, or a bad one. See `WWW-Authenticate`.'),
  403: Problem('Not an operator: role `admin`, or an API key with the scope `admin`, is needed. Or a foreign page asks with a cookie.'),
}

/** Of calls that take a body. */
export const bodyFailures = { ...failures, 413: Problem('The body is larger than 16 KiB.'), 415: Problem('The body is not `application/json` in UTF-8.') }

export const NoSuchUser = Problem('No user has this id.')
export const NoSuchSession = Problem('No session has this id, or it has ended.')
export const NoSuchKey = Problem('No signing key has this id.')
export const Conflict = Problem('The username or email is taken.')
export const Yourself = Problem('You cannot do this to yourself.')
export const ChangeConflict = Problem('The username or email is taken; or you would suspend or demote yourself.')
export const RevokedAlready = Problem('That key is revoked already.')

/** No body. */
export const Done = (description: string) => Type.Null({ description })

const time = (description: string) => Type.String({ format: 'date-time', description })
const names = <const Name extends string>(title: string, values: readonly Name[], description: string) =>
  Type.Union(values.map((value) => Type.Literal(value)), { title, description })

const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: 'How many, at most. Default: 50.' }))
const IdCursor = Type.Optional(Type.String({ ...matching('id'), description: 'The `next_cursor` of the page before. Without one: the first page.' }))
const NextCursor = Nullable(Type.String(), 'The cursor of the next page; null on the last one.')
const UserId = (description: string) => Type.Optional(Type.String({ ...matching('id'), description }))

const Data = <Schema extends TSchema>(title: string, schema: Schema) => Type.Object({ data: schema }, { title })
const List = <Schema extends TSchema>(title: string, schema: Schema, description: string) => Type.Object({ data: Type.Array(schema, { description }), next_cursor: NextCursor }, { title })

const Role = names('Role', ['user', 'admin'], 'What the user may do.')
const Status = names('UserStatus', ['active', 'suspended'], 'Nobody but an active user gets in.')

const userMembers = {
  id: Type.String({ description: 'The `sub` of every token.' }),
  username: Nullable(Type.String(), 'null for a user who has none.'),
  email: Nullable(Type.String(), 'null for a user who has none.'),
  email_verified: Type.Boolean(),
  role: Role,
  status: Status,
  created_at: time('When the account was created.'),
}

const OriginFailures = (description: string) =>
  Type.Object(
    {
      failures: Type.Integer({ description: 'Failed logins since the last one that succeeded.' }),
      wrong_pins: Type.Integer({ description: 'How many of them in a row were wrong PINs.' }),
      locked_until: Nullable(Type.String({ format: 'date-time' }), 'Until then no login from there succeeds; null: no wait is under way.'),
      pin_closed: Type.Boolean({ description: 'Ten wrong PINs in a row: no PIN is taken from there until a new one is set.' }),
    },
    { title: 'OriginFailures', description },
  )

const Lockout = Type.Object(
  {
    locked_until: Nullable(Type.String({ format: 'date-time' }), 'The later of the two waits; null: the account is not locked.'),
    pin_closed: Type.Boolean({ description: 'For one of the two at least. `POST /admin/users/{id}/pin` opens it; an unlock does not.' }),
    known_origins: OriginFailures('From where the user has logged in lately.'),
    unknown_origins: OriginFailures('From anywhere else.'),
  },
  { title: 'Lockout', description: 'What failed logins have done to the account. Known and unknown origins are counted apart.' },
)

const UserOverview = Type.Object({
  ...userMembers,
  has_password: Type.Boolean(),
  has_pin: Type.Boolean(),
  tfa_enabled: Type.Boolean({ description: 'Whether a login asks for a code of the authenticator.' }),
  sessions: Type.Integer({ description: 'How many are alive.' }),
  api_keys: Type.Integer({ description: 'How many there are.' }),
  lockout: Lockout,
}, { title: 'UserOverview' })

export const UsersQuery = Type.Object({
  search: Type.Optional(Type.String({ minLength: 1, maxLength: 254, ...matching('withoutNul'), description: 'What the username or the email begins with; upper and lower case are one.' })),
  role: Type.Optional(Role),
  status: Type.Optional(Status),
  cursor: IdCursor,
  limit: Limit,
})
export const UsersAnswer = List('UserPage', Type.Object(userMembers, { title: 'User' }), 'The oldest first.')
export const UserAnswer = Data('UserAnswer', UserOverview)
export const UserParams = Type.Object({ id: Type.String({ description: 'The id of the user.' }) })

const Username = Type.String({ maxLength: 254, description: 'To log in with. It has no @.' })
const Email = Type.String({ maxLength: 254, description: 'To log in with.' })
const NewPassword = Type.String({ minLength: 8, maxLength: 128, description: '8 to 128 characters, any of Unicode.' })
const NewPin = Type.String({ minLength: 4, maxLength: 12, description: '4 to 12 digits.' })

export const CreateUserBody = Type.Object({
  username: Type.Optional(Username),
  email: Type.Optional(Email),
  password: Type.Optional(NewPassword),
  pin: Type.Optional(NewPin),
  role: Type.Optional(Role),
  status: Type.Optional(Status),
}, { title: 'CreateUser', examples: [{ username: 'sam.smith', email: 'sam.smith@example.com', password: 'a passphrase to begin with', role: 'user' }] })

/** What is not there stays. */
export const ChangeUserBody = Type.Object({
  username: Type.Optional(Nullable(Username, 'null: none any more.')),
  email: Type.Optional(Nullable(Email, 'null: none any more. Another address is not verified, unless `email_verified` says so.')),
  email_verified: Type.Optional(Type.Boolean()),
  role: Type.Optional(Role),
  status: Type.Optional(Status),
}, { title: 'ChangeUser', examples: [{ email: 'sam@example.com', email_verified: true }] })

export const SetPasswordBody = Type.Object({ password: NewPassword }, { title: 'NewPassword', examples: [{ password: 'another passphrase' }] })
export const SetPinBody = Type.Object({ pin: NewPin }, { title: 'NewPin', examples: [{ pin: '4821' }] })

const Session = Type.Object({
  id: Type.String({ description: 'The `sid` of its tokens.' }),
  user_id: Type.String(),
  dialect: Type.String({ description: 'The API that it was opened through.' }),
  amr: Type.Array(Type.String(), { description: 'How the user proved who they are (RFC 8176): `pwd`, `pin`, `otp`.' }),
  created_at: time('The time of the login.'),
  expires_at: time('When it ends, however often it is refreshed.'),
  idle_expires_at: Nullable(Type.String({ format: 'date-time' }), 'When it ends unless it is refreshed before; null where that makes no difference.'),
  ip: Nullable(Type.String(), 'Where the login came from.'),
  user_agent: Nullable(Type.String(), 'What the login came from.'),
}, { title: 'Session' })

export const SessionsQuery = Type.Object({ user: UserId('Only those of the user with this id.'), cursor: IdCursor, limit: Limit })
export const SessionsAnswer = List('SessionPage', Session, 'Those that are alive, the newest first.')
export const SessionParams = Type.Object({ id: Type.String({ description: 'The id of the session.' }) })

export const AuditQuery = Type.Object({
  user: UserId('Only what concerns the user with this id.'),
  type: Type.Optional(Type.String({ maxLength: 50, description: 'Only events of this type, such as `login_failed`.' })),
  since: Type.Optional(Type.String({ format: 'date-time', description: 'Only events from this time on. RFC 3339.' })),
  cursor: Type.Optional(Type.String({ ...matching('eventId'), description: 'The `next_cursor` of the page before. Without one: the first page.' })),
  limit: Limit,
})

export const AuditAnswer = List(
  'AuditPage',
  Type.Object({
    id: Type.Integer(),
    at: time('When it happened.'),
    type: Type.String(),
    actor: Type.Object({ kind: Type.String({ description: '`user`, `client`, `operator` or `service`.' }), id: Type.String() }, { title: 'AuditActor', description: 'Who caused it.' }),
    user_id: Nullable(Type.String(), 'Whom it concerns.'),
    session_id: Nullable(Type.String(), 'Which session it concerns.'),
    dialect: Nullable(Type.String(), 'The API that it came through.'),
    ip: Nullable(Type.String(), 'Where it came from.'),
    user_agent: Nullable(Type.String(), 'What it came from.'),
    request_id: Nullable(Type.String(), 'The `X-Request-Id` of its answer.'),
    detail: Type.Object({}, { title: 'AuditDetail', additionalProperties: true, description: 'What else there is to say; never a secret.' }),
  }, { title: 'AuditEvent' }),
  'The newest first.',
)

const SigningKey = Type.Object({
  kid: Type.String({ description: 'As in the header of what it signed.' }),
  alg: Type.String(),
  state: names('SigningKeyState', ['signs', 'signs soon', 'verifies', 'revoked'], 'What it does now.'),
  published_at: time('Since when verifiers can know it.'),
  signs_from: time('From when on it signs, until a younger one does.'),
  revoked_at: Nullable(Type.String({ format: 'date-time' }), 'null: not revoked.'),
}, { title: 'SigningKey' })

export const KeysAnswer = Data('SigningKeys', Type.Array(SigningKey, { description: 'The oldest first. Those whose last token has expired are not listed.' }))
export const KeyAnswer = Data('SigningKeyAnswer', SigningKey)
export const KeyParams = Type.Object({ kid: Type.String({ description: 'The id of the key.' }) })

import { duration } from '../config/kinds.js'
import { roles } from '../domain/model.js'
import { scopes } from '../domain/scopes.js'
import { parseMoment } from './moment.js'
import { argument, choice, choices, flag, integer, option, optionalArgument, options, requiredOption, seconds, type Alternatives, type Command, type Parameter } from './parameters.js'

/** Everything that can be said to the command line: noun → verb → parameters. Help and messages are made from it. */

export const username = option('username', 'NAME', 'The username.')
export const email = option('email', 'E', 'The email address.')
export const id = option('id', 'ID', 'The id of the user.')

/** Which user is meant. */
const whichUser = { oneOf: [username, email, id], required: true } satisfies Alternatives
const whoseIfAny = { oneOf: [username, email, id], required: false } satisfies Alternatives

export const newUsername = option('username', 'NAME', 'The name to log in with; it has no @.')
export const newEmail = option('email', 'E', 'The email address to log in with.')
export const password = option('password', 'P', 'The password, 8 to 128 characters. Other users of the machine can see it: better is --password-stdin.')
export const passwordStdin = flag('password-stdin', 'Read the password from the first line of stdin, or ask for it.')
export const pin = option('pin', 'N', 'The PIN, 4 to 12 digits.')
export const newPin = requiredOption('pin', 'N', 'The PIN, 4 to 12 digits.')
export const role = choice({ name: 'role', placeholder: 'R', description: `What the user may do: ${roles.join(' or ')}.`, of: roles, fallback: 'user' })
export const newRole: Parameter<(typeof roles)[number]> = { ...role, required: true }

export const file = argument('FILE', 'The file to read; - is stdin.')
export const targetUrlFile = requiredOption('to', 'FILE', 'The file that holds the URL of the other database, such as postgresql://tessera@db:5432/tessera; - is stdin. So its password stands in no command line.')
export const skipExisting = flag('skip-existing', 'Leave out users whose username or email is taken.')

export const sessionId = optionalArgument('ID', 'The id of the session.')
export const all = flag('all', 'Every session of everybody.')

const scopeNames = Object.keys(scopes)

export const keyName = option('name', 'TEXT', 'What the key is for.')
export const keyScopes = choices({ name: 'scope', placeholder: 'S', description: `What the key may do, if not just what its owner ordinarily may: ${scopeNames.join(', ')}. May be repeated.`, of: scopeNames })
export const keyId = argument('ID', 'The id of the API key.')

const lifetime = duration('', { fallback: '1d' })

/** A moment in time; null when it is not given. */
function momentOf(text: string | undefined): Date | null | 'bad' {
  return text === undefined ? null : (parseMoment(text) ?? 'bad')
}

/** Seconds from now, or a moment. */
export const expires: Parameter<number | Date | null> = {
  ...option('expires', 'WHEN', 'When the key ends: after a time such as 90d, or at one such as 2027-01-31 or 2027-01-31T12:00:00Z. Without it: never.'),
  parse([text]) {
    const at = momentOf(text)
    if (text === undefined || at !== 'bad') return { value: at === 'bad' ? null : at }
    const after = lifetime.parse(text)
    // A number alone may be meant as a year.
    return 'value' in after && !/^\d+$/.test(text) ? after : { expected: 'a time such as 90d, 2027-01-31 or 2027-01-31T12:00:00Z' }
  },
}

export const clientName = requiredOption('name', 'NAME', 'Which service it is.')
export const clientScopes = options('scope', 'S', `What its tokens may carry: ${scopeNames.join(', ')}, or scopes of your own services. May be repeated.`)
export const accessLifetime = seconds('access-ttl', 'How long its access tokens live, such as 10m. Without it: as long as those of the dialect bearer.')
export const jwks = option('jwks', 'FILE', 'Public keys, as a JWK or a JWKS; - is stdin. The client signs with its own key (private_key_jwt), and has no secret.')
export const newJwks = option('jwks', 'FILE', 'The public keys from now on, as a JWK or a JWKS; - is stdin. No secret and no other key serves any more.')
export const overlap = seconds('overlap', 'How long the old secret, and the tokens that it got, serve beside the new one, such as 1h. Without it: not at all.')
export const clientId = argument('ID', 'The id of the client.')

export const kid = argument('KID', 'The id of the signing key.')

export const lines = integer({ name: 'lines', placeholder: 'N', description: 'How many, at most. Default: 20.', fallback: 20, min: 1, max: 10_000 })

/** A head of the chain, as the service logs it. */
export const head: Parameter<{ seq: number; mac: string } | null> = {
  ...option('head', 'SEQ:MAC', 'A head of the chain that the service has logged: tells whether newer events were cut off since.'),
  parse([text]) {
    if (text === undefined) return { value: null }
    const [, seq, mac] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? []
    return seq !== undefined && mac !== undefined ? { value: { seq: Number(seq), mac } } : { expected: 'seq and mac of a head from the log, as 42:9f86d0…' }
  },
}

const moment = (name: string, description: string): Parameter<Date | null> => ({
  ...option(name, 'WHEN', description),
  parse([text]) {
    const at = momentOf(text)
    return at === 'bad' ? { expected: 'a time such as 2027-01-31 or 2027-01-31T12:00:00Z' } : { value: at }
  },
})

export const since = moment('since', 'Events from this time on, such as 2027-01-31 or 2027-01-31T12:00:00Z.')
export const until = moment('until', 'Events before this time.')
export const afterSeq = integer({ name: 'after', placeholder: 'SEQ', description: 'Events after this number of the chain: the `seq` of the last line of the export before.', fallback: 0, min: 0, max: 999_999_999_999_999 })
export const before = moment('before', 'Events before this time go.')

/** Seconds; null when it is not given. */
export const olderThan: Parameter<number | null> = {
  ...option('older-than', 'TIME', 'Events older than this go: 90d, 2160h.'),
  parse([text]) {
    if (text === undefined) return { value: null }
    const age = lifetime.parse(text)
    return 'value' in age && !/^\d+$/.test(text) ? age : { expected: 'a time such as 90d or 2160h' }
  },
}

export const limit = integer({ name: 'limit', placeholder: 'N', description: 'How many, at most. Default: 1000.', fallback: 1000, min: 1, max: 10_000_000 })

export interface Noun {
  readonly summary: string
  /** A noun that is a command by itself has one, named ''. */
  readonly verbs: Readonly<Record<string, Command>>
}

export const commands = {
  user: {
    summary: 'Create users, change them, end what they have open',
    verbs: {
      create: {
        summary: 'Create a user',
        parameters: [newUsername, newEmail, { oneOf: [password, passwordStdin], required: false }, pin, role],
      },
      list: { summary: 'List users, the oldest first', parameters: [limit] },
      show: { summary: 'Show a user: names, rights, which secrets are set, what is open', parameters: [whichUser] },
      suspend: { summary: 'Keep a user out: every session ends, API keys are silent', parameters: [whichUser] },
      activate: { summary: 'Let a suspended user in again; API keys speak again, sessions stay ended', parameters: [whichUser] },
      unlock: { summary: 'Lift the wait after failed logins', notes: ['A PIN that was closed after ten wrong ones stays closed until it is set anew.'], parameters: [whichUser] },
      delete: { summary: 'Delete a user, with all sessions and API keys', parameters: [whichUser] },
      revoke: { summary: 'End every session and delete every API key of a user, who may log in again', parameters: [whichUser] },
      'set-password': { summary: 'Give a user a new password; every session ends', parameters: [whichUser, { oneOf: [password, passwordStdin], required: true }] },
      'set-pin': { summary: 'Give a user a new PIN, which is open again; every session ends', parameters: [whichUser, newPin] },
      'set-role': { summary: 'Change what a user may do; access tokens end, sessions live on', parameters: [whichUser, newRole] },
      'reset-totp': { summary: 'Switch off the second factor of a user who has lost it', parameters: [whichUser] },
      import: {
        summary: 'Create users from a file, one JSON object a line',
        notes: [
          'Members: username, email, email_verified, password or password_hash (argon2id, as $argon2id$v=19$m=…,t=…,p=…$salt$hash), pin, role, status (active or suspended), created_at, and id, the `sub` of the tokens, where accounts come from another tessera.',
          'Every line is checked before the first user is created; if one is bad, none is. What fails after that is told line by line.',
        ],
        parameters: [file, skipExisting],
      },
      export: {
        summary: 'Write all users to stdout, one JSON object a line, as `import` reads them',
        notes: [
          'With the hashes of their passwords: whoever reads it can try passwords against them. PINs, second factors, sessions and API keys are not in it: `tessera database copy` moves those too.',
        ],
        parameters: [],
      },
    },
  },
  session: {
    summary: 'List and end sessions',
    verbs: {
      list: { summary: 'List the sessions that are alive, the newest first', parameters: [whoseIfAny, limit] },
      revoke: { summary: 'End a session, or all of everybody', parameters: [{ oneOf: [sessionId, all], required: true }] },
    },
  },
  apikey: {
    summary: 'Create, list and delete API keys',
    verbs: {
      create: { summary: 'Create an API key for a user; it is shown this once', parameters: [whichUser, keyName, keyScopes, expires] },
      list: { summary: 'List API keys, never the keys themselves', parameters: [whoseIfAny, limit] },
      revoke: { summary: 'Delete an API key, whoever owns it', parameters: [keyId] },
    },
  },
  client: {
    summary: 'Services that call tessera in their own name (OAuth)',
    verbs: {
      create: { summary: 'Create a client; its secret is shown this once', parameters: [clientName, clientScopes, accessLifetime, jwks] },
      list: { summary: 'List clients by name, never their secrets', parameters: [] },
      rotate: {
        summary: 'Give a client another secret, which is shown this once, or other keys',
        notes: ['The old secret, and every token that the client holds, is refused at once, unless --overlap is given.'],
        parameters: [clientId, { oneOf: [overlap, newJwks], required: false }],
      },
      delete: { summary: 'Delete a client; every token that it holds is refused at once', parameters: [clientId] },
    },
  },
  key: {
    summary: 'The keys that sign access tokens',
    verbs: {
      list: { summary: 'List signing keys, the oldest first', parameters: [] },
      rotate: { summary: 'Publish a new signing key; it signs as soon as every verifier knows it', parameters: [] },
      revoke: { summary: 'Refuse everything that a signing key has signed: an emergency', parameters: [kid] },
    },
  },
  migrate: { summary: 'Bring the schema of the database up to date', verbs: { '': { summary: 'Bring the schema of the database up to date', parameters: [] } } },
  database: {
    summary: 'Move all of it to another PostgreSQL',
    verbs: {
      copy: {
        summary: 'Copy everything into an empty database, such as from the embedded server to one of your own',
        notes: ['Stop the service first. The same master secret opens the copy.'],
        parameters: [targetUrlFile],
      },
    },
  },
  audit: {
    summary: 'The audit trail',
    verbs: {
      tail: { summary: 'Show the latest events, the newest last', parameters: [lines] },
      export: {
        summary: 'Write events to stdout, one JSON object a line, in the order of the chain',
        notes: [
          'Each line has a `seq`: numbers without gaps. To go on where the last export ended, give the last one to --after: nothing is missed, and nothing comes twice.',
        ],
        parameters: [afterSeq, since, until],
      },
      prune: {
        summary: 'Delete old events, once the chain is verified; what stays can still be verified',
        notes: ['Export them first. With two roles of the database this takes MIGRATION_DATABASE_URL: the service’s role deletes nothing here.'],
        parameters: [{ oneOf: [before, olderThan], required: true }],
      },
      verify: { summary: 'Check that no event was changed, removed or put in; exit 1 if one was', parameters: [head] },
    },
  },
  doctor: { summary: 'Check that the service can run here', verbs: { '': { summary: 'Check that the service can run here: one line a check, exit 1 if anything is wrong', parameters: [] } } },
} as const satisfies Record<string, Noun>

import { validate as validateUuid } from 'uuid'
import { roles, type Role, type UserStatus } from '../domain/model.js'
import { requireAccount, type Handles, type NewAccount } from '../domain/new-accounts.js'
import { CommandError, explain } from './errors.js'
import { requireLines } from './import-shape.js'
import { parseMoment } from './moment.js'

/** A line of the file that can become a user. */
export interface ImportLine {
  /** Counted from 1. */
  readonly line: number
  readonly account: NewAccount
  readonly handles: Handles
}

export interface LineProblem {
  readonly line: number
  readonly reason: string
}

const members = ['username', 'email', 'password', 'password_hash', 'pin', 'role', 'status', 'id', 'email_verified', 'created_at'] as const
type Member = (typeof members)[number]

const statuses = ['active', 'suspended'] as const satisfies readonly UserStatus[]

/**
 * Every line is judged; names that stand twice are found, in whatever spelling. Empty lines do not count.
 * @throws CommandError for a file of another kind
 */
export function readLines(text: string): { lines: ImportLine[]; problems: LineProblem[] } {
  const lines: ImportLine[] = []
  const problems: LineProblem[] = []
  const lineOfName = new Map<string, number>()
  requireLines(text, members)
  for (const [index, content] of text.split(/\r?\n/).entries()) {
    if (content.trim() === '') continue
    const line = index + 1
    try {
      const account = accountOf(content)
      const handles = requireAccount(account)
      claimNames(lineOfName, handles, line)
      lines.push({ line, account, handles })
    } catch (error) {
      problems.push({ line, reason: explain(error) })
    }
  }
  return { lines, problems }
}

function claimNames(lineOfName: Map<string, number>, { username, email }: Handles, line: number): void {
  const names = [username, email].flatMap((handle) => (handle === null ? [] : handle.folded))
  const other = names.map((name) => lineOfName.get(name)).find((found) => found !== undefined)
  if (other !== undefined) throw new CommandError(`the username or email stands in line ${other} already`)
  for (const name of names) lineOfName.set(name, line)
}

function accountOf(content: string): NewAccount {
  const given = objectOf(content)
  const unknown = Object.keys(given).find((name) => !isMember(name))
  if (unknown !== undefined) throw new CommandError(`there is no member ${JSON.stringify(unknown)}: only ${members.join(', ')}`)
  const text = (name: Member): string | null => textOf(name, given[name])
  return {
    username: text('username'),
    email: text('email'),
    password: text('password'),
    passwordHash: text('password_hash'),
    pin: text('pin'),
    id: idOf(text('id')),
    emailVerified: flagOf('email_verified', given.email_verified),
    createdAt: momentOf('created_at', text('created_at')),
    role: wordOf<Role>('role', text('role'), roles, 'user'),
    status: wordOf<UserStatus>('status', text('status'), statuses, 'active'),
  }
}

const isMember = (name: string): boolean => members.some((member) => member === name)

function objectOf(content: string): Readonly<Record<string, unknown>> {
  const value = parse(content)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CommandError('it is not a JSON object')
  return { ...value }
}

/** The parser's own message would repeat a piece of the line, which may be a secret. */
function parse(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    throw new CommandError('it is not JSON')
  }
}

function textOf(name: Member, value: unknown): string | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'string') throw new CommandError(`${name} must be a string`)
  // A login with either is refused as malformed: such a secret would open nothing.
  if (value.includes('\0') || !isWellFormed(value)) throw new CommandError(`${name} must not contain NUL or half of a surrogate pair`)
  return value
}

function idOf(given: string | null): string | null {
  if (given === null || validateUuid(given)) return given
  throw new CommandError('id must be a UUID')
}

function flagOf(name: Member, value: unknown): boolean {
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') throw new CommandError(`${name} must be true or false`)
  return value
}

/** A time to come would be the time of an account that does not exist yet. */
function momentOf(name: Member, given: string | null): Date | null {
  if (given === null) return null
  const moment = parseMoment(given)
  if (moment === null || moment.getTime() > Date.now()) throw new CommandError(`${name} must be a time that is past, such as 2027-01-31T12:00:00Z`)
  return moment
}

/** `String.prototype.isWellFormed`, which the type library does not have yet. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text)

function wordOf<T extends string>(name: Member, given: string | null, known: readonly T[], fallback: T): T {
  if (given === null) return fallback
  const word = known.find((one) => one === given)
  if (word === undefined) throw new CommandError(`${name} must be one of ${known.join(', ')}`)
  return word
}

import pg from 'pg'
import { AuthError, unavailable } from '../domain/errors.js'

/**
 * What is left of an error of the server or the driver when everything that may hold a value of a row or a parameter is
 * gone: `detail`, `where`, `hint`, and the message of a data exception.
 */
export class DatabaseFailure extends Error {
  override readonly name = 'DatabaseFailure'

  constructor(
    message: string,
    /** SQLSTATE, or the name of a system error (`ECONNREFUSED`). */
    readonly code: string | undefined,
    /** The name of the statement, where it has one. */
    readonly statement: string | null,
    readonly constraint: string | undefined,
  ) {
    super(message)
  }
}

export interface Verdict {
  readonly error: AuthError | DatabaseFailure
  /** The connection is not to be used again. */
  readonly connectionBroken: boolean
}

/** Two transactions stood in each other's way: the same again may well succeed. */
const conflicts = new Set(['40001', '40P01'])

/** A replica instead of the primary (25006), an idle transaction ended (25P03), a lock or a statement that took too long. */
const passingCodes = new Set([...conflicts, '25006', '25P03', '55P03', '57014', '58030', '58P01'])

/** Connection trouble, resources (a full disk too), the server going down or coming up. */
const passingClasses = ['08', '53', '57P']

/** A prepared statement that a migration has changed: a new connection prepares it anew. */
const stalePlan = '0A000'

const isPassing = (sqlState: string) =>
  passingCodes.has(sqlState) || passingClasses.some((beginning) => sqlState.startsWith(beginning))

/** After these the session may be closing, or may hang on a server that cannot write. */
const breaksConnection = (sqlState: string) =>
  sqlState === '25006' || sqlState === '25P03' || sqlState.startsWith('08') || sqlState.startsWith('57P')

/** @param statement the name of the statement that failed, null for a nameless one */
export function judge(error: unknown, statement: string | null): Verdict {
  return error instanceof pg.DatabaseError ? judgeServer(error, statement) : judgeDriver(error, statement)
}

function judgeServer(error: pg.DatabaseError, statement: string | null): Verdict {
  const sqlState = error.code ?? 'XX000'
  const failure = new DatabaseFailure(safeMessage(error, sqlState), sqlState, statement, error.constraint)
  const planIsStale = sqlState === stalePlan && error.routine === 'RevalidateCachedQuery'
  return {
    error: planIsStale || isPassing(sqlState) ? unavailable(failure) : failure,
    connectionBroken: planIsStale || breaksConnection(sqlState),
  }
}

/** Data exceptions (class 22) and failed casts repeat the value in their message. */
const safeMessage = (error: pg.DatabaseError, sqlState: string) =>
  sqlState.startsWith('22') ? `data exception ${sqlState}` : error.message

/** Whatever the driver says that is no mistake of ours: no connection, a lost one, no answer in time. */
function judgeDriver(error: unknown, statement: string | null): Verdict {
  const { message, code } = facts(error)
  const failure = new DatabaseFailure(message, code, statement, undefined)
  const isOurMistake = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError
  return { error: isOurMistake ? failure : unavailable(failure), connectionBroken: true }
}

function facts(error: unknown): { message: string; code: string | undefined } {
  if (!(error instanceof Error)) return { message: 'unknown failure', code: undefined }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  // The attempts at several addresses fail together, with a code and without a message.
  return { message: error.message || (code ?? error.name), code }
}

/** For the log: an error of a connection that nobody was using. */
export const describeFailure = (error: unknown): DatabaseFailure => {
  const verdict = judge(error, null).error
  if (verdict instanceof DatabaseFailure) return verdict
  return verdict.cause instanceof DatabaseFailure ? verdict.cause : new DatabaseFailure(verdict.message, undefined, null, undefined)
}

/** 54000, program_limit_exceeded: at a COMMIT, the queue of notifications is full. */
export const isNotificationQueueFull = (error: unknown): boolean => error instanceof DatabaseFailure && error.code === '54000'

export const isConflict = (error: unknown): boolean =>
  error instanceof AuthError && error.cause instanceof DatabaseFailure && conflicts.has(error.cause.code ?? '')

import { AuthError } from '../domain/errors.js'

/** What a command cannot do, in one line: what is wrong and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** Errors whose message is written for the operator. By name: their modules need not be loaded to say them. */
const refusals = ['CommandError', 'ConfigError', 'CopyError', 'DatabaseError', 'EmbeddedServerError', 'KeyringError', 'MigrationError', 'MisuseError']

/** One line for stderr. */
export function explain(error: unknown): string {
  if (error instanceof AuthError) return oneLine(explainAuthError(error))
  if (error instanceof Error && refusals.includes(error.name)) return oneLine(error.message)
  return oneLine(`this should not have happened: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`)
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ').trim()

function explainAuthError({ code, reason, cause }: AuthError): string {
  if (reason !== undefined) return reason
  if (code === 'unavailable') return `the database or the hash queue does not answer (${causeText(cause)}): try again`
  if (code === 'api_key_not_found') return 'there is no such API key'
  return code.replaceAll('_', ' ')
}

const causeText = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Why the embedded server cannot serve: one line that says what is wrong and what to do. */
export class EmbeddedServerError extends Error {
  override readonly name = 'EmbeddedServerError'

  constructor(message: string, options?: ErrorOptions) {
    super(message.replace(/\s+/g, ' ').trim(), options)
  }
}

/** The `code` of a system or PostgreSQL error, `''` when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** What an error says, for a sentence of ours. */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Why the schema cannot be brought up to date, in one line. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
}

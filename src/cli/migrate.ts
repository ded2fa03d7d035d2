import { migrateDatabase } from '../migrate-database.js'
import type { commands } from './commands.js'
import type { Context, Handler } from './context.js'
import type { Result } from './output.js'

/** Without keys: they are the service's business. Waits for a database that is just starting, as the service does. */
async function run(context: Context): Promise<Result> {
  const { applied } = await migrateDatabase(await context.database())
  return { value: { applied }, text: applied.length === 0 ? 'the schema is up to date' : applied.map((name) => `applied ${name}`).join('\n') }
}

export const migrate = { '': run } satisfies Record<keyof typeof commands.migrate.verbs, Handler>

import { databaseUrl } from '../config/kinds.js'
import { withoutLastLineBreak } from '../config/plain-text.js'
import { reach } from '../database.js'
import { migrateDatabase } from '../migrate-database.js'
import { copyDatabase } from '../repository/copy-database.js'
import { migrate } from '../repository/migrate.js'
import { targetUrlFile, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { CommandError } from './errors.js'
import { table, type Result } from './output.js'
import { readSource } from './source.js'

async function copy(context: Context): Promise<Result> {
  const target = targetOf(await readSource(context.read(targetUrlFile)))
  const database = await context.database(0)
  await reach('--to', target, context.say, 0)
  await migrateDatabase(database)
  await migrate(target)
  const copied = (await copyDatabase(database.migrationUrl ?? database.listenUrl, target)).filter(({ rows }) => rows > 0)
  context.say(`Start the service with DATABASE_URL and with the same master secret${database.isEmbedded ? ` (MASTER_SECRET_FILE=${context.config().dataDir}/master-secret)` : ''}. What was copied stays here too: delete it when you are sure.`)
  return { value: { copied }, text: table(['TABLE', 'ROWS'], copied.map(({ table: name, rows }) => [name, rows])) }
}

/** The message repeats nothing of what the file holds: a password may be in it. */
function targetOf(content: string): string {
  const parsed = databaseUrl('').parse(withoutLastLineBreak(content).trim())
  if ('value' in parsed && parsed.value !== null) return parsed.value
  throw new CommandError('--to must name a file that holds a URL such as postgresql://user@host:5432/database')
}

export const database = { copy } satisfies Record<keyof typeof commands.database.verbs, Handler>

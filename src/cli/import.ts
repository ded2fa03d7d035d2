import { hashCost } from '../config/fleet.js'
import { AuthError } from '../domain/errors.js'
import { createUser } from '../domain/operators.js'
import type { Repository } from '../domain/ports.js'
import { file, skipExisting } from './commands.js'
import type { Context } from './context.js'
import { explain } from './errors.js'
import { readLines, type ImportLine, type LineProblem } from './import-lines.js'
import type { Result } from './output.js'
import { readSource } from './source.js'

/** What became of the lines. Every line of the file is in one of the lists. */
interface ImportReport {
  imported: { line: number; id: string }[]
  skipped: LineProblem[]
  /** When there are any before the first user is created, none is. */
  failed: LineProblem[]
}

const taken = 'the username or email is taken'

/**
 * First every line is judged, alone, against the others and against the database; if one is bad, nothing is done. Then each
 * line is a transaction of its own: what goes wrong from there on is told by its line, and the same file with
 * --skip-existing takes up what is left.
 */
export async function importUsers(context: Context): Promise<Result> {
  const { lines, problems } = readLines(await readSource(context.read(file)))
  await context.agreed(...hashCost)
  const { repository } = (await context.core()).service
  const existing = await findTaken(repository, lines)
  const skips = context.read(skipExisting)
  const failed = [...problems, ...(skips ? [] : existing)].sort((a, b) => a.line - b.line)
  const report: ImportReport = { imported: [], skipped: skips ? existing : [], failed }
  if (failed.length === 0) await importLines(context, withoutExisting(lines, existing), report)
  return toResult(context, report)
}

async function findTaken({ users }: Repository, lines: readonly ImportLine[]): Promise<LineProblem[]> {
  const found: LineProblem[] = []
  for (const { line, handles: { username, email } } of lines) {
    const isTaken =
      (username !== null && (await users.findByIdentifier({ by: 'username', ...username })) !== null) ||
      (email !== null && (await users.findByIdentifier({ by: 'email', ...email })) !== null)
    if (isTaken) found.push({ line, reason: taken })
  }
  return found
}

function withoutExisting(lines: readonly ImportLine[], existing: readonly LineProblem[]): ImportLine[] {
  const left = new Set(existing.map(({ line }) => line))
  return lines.filter(({ line }) => !left.has(line))
}

/** As many at once as hashes are computed at once: more would only wait. When the database is gone, the rest is not tried. */
async function importLines(context: Context, lines: readonly ImportLine[], report: ImportReport): Promise<void> {
  const queue = lines.values()
  let gone = false
  const workers = Array.from({ length: context.config().hashConcurrency }, async () => {
    for (const line of queue) {
      if (gone) report.failed.push({ line: line.line, reason: 'not tried' })
      else gone = !(await importLine(context, line, report)) || gone
    }
  })
  await Promise.all(workers)
}

/** @returns whether it makes sense to go on */
async function importLine(context: Context, { line, account }: ImportLine, report: ImportReport): Promise<boolean> {
  const { service } = await context.core()
  try {
    const { id } = await createUser(service, account, context.actor)
    report.imported.push({ line, id })
    return true
  } catch (error) {
    report.failed.push({ line, reason: explain(error) })
    return error instanceof AuthError && error.code === 'conflict'
  }
}

const toldOfEach = 20

/** A line a problem; of many that are alike the first ones, and how many more there are. --json tells them all. */
function* told(problems: readonly LineProblem[]): Generator<string> {
  const counts = new Map<string, number>()
  for (const { line, reason } of problems) {
    const count = (counts.get(reason) ?? 0) + 1
    counts.set(reason, count)
    if (count <= toldOfEach) yield `line ${line}: ${reason}`
  }
  for (const [reason, count] of counts) if (count > toldOfEach) yield `${count - toldOfEach} more lines: ${reason} (--json names them all)`
}

function toResult({ say }: Context, { imported, skipped, failed }: ImportReport): Result {
  const byLine = (a: { line: number }, b: { line: number }) => a.line - b.line
  failed.sort(byLine)
  for (const line of told(failed)) say(line)
  if (failed.length > 0) say(imported.length === 0 ? 'Nothing was imported.' : 'Correct these lines and run the same again with --skip-existing.')
  const counts = [`${imported.length} imported`, ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []), ...(failed.length > 0 ? [`${failed.length} failed`] : [])]
  return { value: { imported: imported.sort(byLine), skipped, failed }, text: counts.join(', '), failed: failed.length > 0 }
}

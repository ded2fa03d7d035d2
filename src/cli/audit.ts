import { pruneAudit, sealAudit, verifyAudit, type ChainFault } from '../domain/audit-chain.js'
import type { AuditEvent, SealedAuditEvent, StoredAuditEvent } from '../domain/audit.js'
import type { Keyring } from '../domain/keyring.js'
import type { Repository } from '../domain/ports.js'
import { createPool, createRepository } from '../repository/index.js'
import { afterSeq, before, head, lines, olderThan, since, until, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { CommandError } from './errors.js'
import { table, type Result } from './output.js'
import { streamed, writeLines } from './stream.js'

async function tail(context: Context): Promise<Result> {
  const { repository } = (await context.core()).service
  const events = (await repository.audit.list({ before: null, limit: context.read(lines) })).reverse()
  const rows = events.map((event) => [event.at, event.type, `${event.actor.kind}:${event.actor.id}`, event.userId ?? null, event.origin?.ip ?? null, detailOf(event)])
  return { value: events.map(eventValue), text: table(['AT', 'EVENT', 'BY', 'USER', 'ADDRESS', 'DETAIL'], rows) }
}

function detailOf({ dialect, detail }: AuditEvent): string {
  const known: NonNullable<AuditEvent['detail']> = { ...(dialect ? { dialect } : {}), ...detail }
  return Object.entries(known).map(([name, value]) => `${name}=${String(value)}`).join(' ')
}

const eventValue = ({ id, at, type, actor, userId, sessionId, dialect, origin, detail }: StoredAuditEvent) =>
  ({ id, at, type, actor, userId, sessionId, dialect, origin, detail })

interface Archive {
  readonly repository: Repository
  readonly keyring: Keyring
}

/** A trail of years is read in one go: nobody waits for an answer here, and the limits of requests would be wrong, as a pooler's would. */
const patience = { acquireMs: 10_000, lockMs: 60_000, statementMs: 3_600_000, answerMs: 3_600_000 }

/** @param by as which role: the one that serves, or the one that owns the schema */
async function withArchive<T>(context: Context, by: 'service' | 'owner', work: (archive: Archive) => Promise<T>): Promise<T> {
  const { service, database } = await context.core()
  const connectionString = (by === 'owner' ? database.migrationUrl : null) ?? database.listenUrl
  const pool = createPool({ connectionString, max: 2, applicationName: 'tessera audit', limits: patience })
  try {
    return await work({ repository: createRepository(pool), keyring: service.keyring })
  } finally {
    await pool.end()
  }
}

const eventsAPage = 500

async function* sealedEvents(context: Context, { repository, keyring }: Archive, onLine: (event: SealedAuditEvent) => void): AsyncGenerator<string> {
  // Without a running service nobody else has sealed the newest.
  while ((await sealAudit({ repository, keyring })) !== null);
  const [from, to] = [context.read(since), context.read(until)]
  for (let after = context.read(afterSeq); ;) {
    const page = await repository.audit.listSealed({ after, limit: eventsAPage, since: from, until: to })
    for (const event of page) {
      onLine(event)
      yield `${JSON.stringify({ seq: event.seq, ...eventValue(event) })}\n`
    }
    const last = page.at(-1)
    if (last === undefined) return
    after = last.seq
  }
}

/** One page is held at a time, and none is read before the reader has taken the one before. */
async function exportEvents(context: Context): Promise<Result> {
  let [count, last] = [0, context.read(afterSeq)]
  const onLine = ({ seq }: SealedAuditEvent): void => {
    count += 1
    last = seq
  }
  const isWhole = await withArchive(context, 'service', (archive) => writeLines(sealedEvents(context, archive, onLine)))
  context.say(isWhole ? `${count} events; to go on from here: --after ${last}` : 'The reader went before the end: to go on, --after the seq of the last line that it has.')
  return streamed
}

async function prune(context: Context): Promise<Result> {
  const end = endOfPruning(context)
  const pruned = await withArchive(context, 'owner', (archive) => pruneAudit(archive, end, context.actor).catch(explainRefusal))
  if (typeof pruned !== 'number') return brokenAt(pruned, 'nothing is deleted, so that the break stays to be seen; ')
  return { value: { deleted: pruned, before: end }, text: `${pruned} events before ${end.toISOString()} are deleted` }
}

function endOfPruning({ read }: Context): Date {
  const [moment, ageSeconds] = [read(before), read(olderThan)]
  // Nobody means that who does not mistype a year.
  if (moment !== null && moment.getTime() > Date.now()) throw new CommandError('--before must not be in the future: it would delete the whole trail')
  if (moment !== null) return moment
  return new Date(Date.now() - (ageSeconds ?? 0) * 1000)
}

/** 42501: this role may not do that. */
function explainRefusal(error: unknown): never {
  const isRefusal = error instanceof Error && 'code' in error && error.code === '42501'
  throw isRefusal ? new CommandError('the role of DATABASE_URL may not delete from the audit trail: set MIGRATION_DATABASE_URL to the role that owns it') : error
}

async function verify(context: Context): Promise<Result> {
  const report = await withArchive(context, 'service', (archive) => verifyAudit(archive, context.read(head)))
  if (report.intact) return { value: report, text: `intact: ${report.events} sealed events, head ${report.head.seq}:${report.head.mac}` }
  return brokenAt(report.fault)
}

function brokenAt(fault: ChainFault, prefix = ''): Result {
  const { seq, eventId, problem } = fault
  const place = [seq === null ? null : `seal ${seq}`, eventId === null ? null : `event ${eventId}`].filter((part) => part !== null).join(', ')
  return { value: { intact: false, fault }, text: `${prefix}broken${place === '' ? '' : ` at ${place}`}: ${problem}`, failed: true }
}

export const audit = { tail, export: exportEvents, prune, verify } satisfies Record<keyof typeof commands.audit.verbs, Handler>

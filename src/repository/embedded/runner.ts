import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { copyBinaries, exists, removeCopies, withLibraryNames } from './binaries.js'
import type { Binaries } from './binaries.js'
import { sweepUnfinished, temporaryEnding } from './data-folder.js'
import { EmbeddedServerError, textOf } from './error.js'
import type { Layout } from './layout.js'
import type { Machine } from './machine.js'
import { programOf, run, tellingLine } from './program.js'
import type { Runner } from './program.js'
import { openRefuge, settleIn } from './refuge.js'
import { ownBy } from './strategies.js'
import type { Strategy } from './strategies.js'

const probePrefix = 'postgres.probe-'

export interface Arrangement {
  readonly runner: Runner
  /** Another one than before when the data had to move. */
  readonly layout: Layout
}

/**
 * Finds out by trying how PostgreSQL can run here: from the package where it is, from a copy beside the data,
 * or, for root, with programs and data in a place that an ordinary user can reach.
 */
export async function arrange(layout: Layout, machine: Machine): Promise<Arrangement> {
  const strategies = await machine.strategies(layout.dataDir)
  await sweepUnfinished(layout.home, probePrefix)
  const first = await probeAll(layout.home, await withLibraryNames(machine.binaries, layout.links), strategies, machine.signal)
  if (first.runner !== undefined) return { runner: first.runner, layout }

  const withCopy = first.someReachedHome ? await probeCopy(layout.home, machine, strategies) : undefined
  if (withCopy !== undefined) return { runner: withCopy, layout }

  const elsewhere = layout.home === layout.dataDir ? await arrangeElsewhere(layout, machine, strategies) : undefined
  if (elsewhere !== undefined) return elsewhere
  throw new EmbeddedServerError(
    `The embedded PostgreSQL cannot be run on this machine (${first.reasons.join('; ')}): ` +
      'set DATABASE_URL to a PostgreSQL server of your own.',
  )
}

async function probeCopy(home: string, { binaries, signal }: Machine, strategies: readonly Strategy[]): Promise<Runner | undefined> {
  const { runner } = await probeAll(home, await copyBinaries(binaries, home), strategies, signal)
  if (runner === undefined) await removeCopies(home, undefined)
  return runner
}

async function arrangeElsewhere(
  before: Layout,
  machine: Machine,
  strategies: readonly Strategy[],
): Promise<Arrangement | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const parent of machine.refuges) {
    const home = await openRefuge(parent)
    if (home === undefined) continue
    const runner = await probeCopy(home, machine, strategies)
    const layout = runner && (await settleIn(home, before))
    if (runner !== undefined && layout?.home === home) return { runner, layout }
    await rm(home, { recursive: true, force: true })
    if (layout !== undefined) return arrange(layout, machine) // another process was faster; its refuge is as good
  }
  return undefined
}

interface Probed {
  readonly runner?: Runner
  readonly reasons: readonly string[]
  readonly someReachedHome: boolean
}

/** The first strategy under which the programs run and a folder in `home` can be written to. */
async function probeAll(home: string, binaries: Binaries, strategies: readonly Strategy[], signal: AbortSignal | undefined): Promise<Probed> {
  const reasons: string[] = []
  let someReachedHome = false
  for (const strategy of strategies) {
    signal?.throwIfAborted()
    const runner = { binaries, strategy, signal }
    const { ok, reachedHome, reason } = await probe(home, runner)
    if (ok) return { runner, reasons, someReachedHome: true }
    reasons.push(`${strategy.name}: ${reason}`)
    someReachedHome ||= reachedHome
  }
  return { reasons, someReachedHome }
}

/**
 * What a namespace, a capability or a folder's mode allows cannot be told from outside. `postgres -C` goes a good
 * way into a start: it looks for its own files, refuses root, and reads the configuration. initdb wants a name.
 */
const configuration = 'postgresql.conf'
const probeScript = `: > "$1/${configuration}" && "$2" -C port -D "$1" && "$3" --version && id -un`

async function probe(home: string, runner: Runner): Promise<{ ok: boolean; reachedHome: boolean; reason: string }> {
  const folder = path.join(home, `${probePrefix}${temporaryEnding()}`)
  try {
    await mkdir(folder, { mode: 0o700 })
    await ownBy(runner.strategy, folder)
    const programs = [programOf(runner.binaries, 'postgres'), programOf(runner.binaries, 'initdb')]
    const { status, output } = await run(runner, '/bin/sh', ['-c', probeScript, 'probe', folder, ...programs])
    return { ok: status === 0, reachedHome: await exists(path.join(folder, configuration)), reason: tellingLine(output) }
  } catch (error) {
    return { ok: false, reachedHome: false, reason: textOf(error) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

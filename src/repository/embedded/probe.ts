import { chown, mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Binaries } from './binaries.js'
import { temporaryEnding } from './data-folder.js'
import { EmbeddedServerError, textOf } from './error.js'
import type { Layout } from './layout.js'
import { programOf, run, tellingLine } from './program.js'
import type { Runner } from './program.js'
import type { Strategy } from './strategies.js'

export const probePrefix = 'postgres.probe-'

/** The first strategy under which the programs run and a folder beside the cluster can be written to. */
export async function findRunner(layout: Layout, binaries: Binaries, strategies: readonly Strategy[]): Promise<Runner> {
  const reasons: string[] = []
  for (const strategy of strategies) {
    const reason = await whyNot(layout, { binaries, strategy })
    if (reason === undefined) return { binaries, strategy }
    reasons.push(`${strategy.name}: ${reason}`)
  }
  throw new EmbeddedServerError(
    `The embedded PostgreSQL cannot be run on this machine (${reasons.join('; ')}): ` +
      'set DATABASE_URL to a PostgreSQL server of your own.',
  )
}

/** Tries it for real: what a namespace, a capability or a folder's mode allows cannot be told from outside. */
async function whyNot(layout: Layout, runner: Runner): Promise<string | undefined> {
  const folder = path.join(layout.dataDir, `${probePrefix}${temporaryEnding()}`)
  try {
    await mkdir(folder, { mode: 0o700 })
    await ownBy(runner.strategy, folder)
    const script = '"$0" --version > "$1/version"'
    const { ok, output } = await run(runner, '/bin/sh', ['-c', script, programOf(runner.binaries, 'postgres'), folder])
    return ok ? undefined : tellingLine(output)
  } catch (error) {
    return textOf(error)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Gives a file to the user that the server runs as; nobody but root can, or has to. */
export async function ownBy({ owner }: Strategy, file: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(file, owner.uid, owner.gid)
}

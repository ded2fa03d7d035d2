import { lchown, mkdir, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Binaries } from './binaries.js'
import { exists } from './binaries.js'
import { sweepUnfinished, temporaryEnding } from './data-folder.js'
import { EmbeddedServerError, codeOf } from './error.js'
import type { Layout } from './layout.js'
import { ownBy } from './probe.js'
import { programOf, run, tellingLine } from './program.js'
import type { Runner } from './program.js'

export const superuser = 'postgres'
const unfinishedPrefix = 'postgres.new-'

/** @throws EmbeddedServerError, before anything is touched, when the folder is not for this PostgreSQL */
export async function hasCluster({ cluster }: Layout, { majorVersion }: Binaries): Promise<boolean> {
  const version = await readFile(path.join(cluster, 'PG_VERSION'), 'utf8').catch(() => undefined)
  if (version === undefined) {
    const isEmpty = (await readdir(cluster).catch(() => [])).length === 0
    if (isEmpty) return false
    throw new EmbeddedServerError(
      `${cluster} holds something that is not a PostgreSQL database: move it away, or set DATA_DIR to another folder.`,
    )
  }
  if (version.trim() === majorVersion) return true
  throw new EmbeddedServerError(
    `${cluster} was made by PostgreSQL ${version.trim()}, and this is ${majorVersion}: ` +
      'dump it with the version that made it and load the dump here, or set DATA_DIR to another folder.',
  )
}

export interface InitOptions {
  readonly secret: string
  /** Off only where nothing has to survive a crash of the machine. */
  readonly isDurable: boolean
}

/**
 * Makes the database files beside their place and moves them there when they are whole: whoever is killed on
 * the way leaves nothing that looks like a database. @returns false when another process was faster
 */
export async function createCluster(layout: Layout, runner: Runner, options: InitOptions): Promise<boolean> {
  await sweepUnfinished(layout.dataDir, unfinishedPrefix)
  const work = path.join(layout.dataDir, `${unfinishedPrefix}${temporaryEnding()}`)
  try {
    await mkdir(work, { mode: 0o700 })
    await ownBy(runner.strategy, work)
    await initialise(work, runner, options)
    return await moveIntoPlace(path.join(work, 'data'), layout)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function initialise(work: string, runner: Runner, { secret, isDurable }: InitOptions): Promise<void> {
  const passwordFile = path.join(work, 'password')
  await writeFile(passwordFile, secret, { mode: 0o600 })
  await ownBy(runner.strategy, passwordFile)
  const { ok, output } = await run(runner, programOf(runner.binaries, 'initdb'), [
    `--pgdata=${path.join(work, 'data')}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C', // and the collation of PostgreSQL itself: the same order on every system
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
    ...(isDurable ? [] : ['--no-sync']),
  ])
  if (!ok) throw new EmbeddedServerError(`The embedded database could not be made: initdb says: ${tellingLine(output)}`)
}

async function moveIntoPlace(data: string, { cluster, dataDir }: Layout): Promise<boolean> {
  try {
    await rename(data, cluster)
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error)) && (await exists(path.join(cluster, 'PG_VERSION')))) return false
    throw error
  }
  const folder = await open(dataDir, 'r')
  await folder.sync().finally(() => folder.close())
  return true
}

/** The files belong to whom the server runs as now; that may have been another user at the last start. */
export async function fixOwnership({ cluster }: Layout, { strategy: { owner } }: Runner): Promise<void> {
  const { uid } = await stat(cluster)
  if (uid === owner.uid) return
  if (process.getuid?.() !== 0) {
    throw new EmbeddedServerError(
      `${cluster} belongs to user ${uid}, not to this one: start as that user, or give the folder to this one (chown -R).`,
    )
  }
  for (const name of await readdir(cluster, { recursive: true })) {
    await lchown(path.join(cluster, name), owner.uid, owner.gid)
  }
  await lchown(cluster, owner.uid, owner.gid) // last: until then the next start does all of it again
}

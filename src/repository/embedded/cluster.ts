import { lchown, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Binaries } from './binaries.js'
import { exists } from './binaries.js'
import { flush, sweepUnfinished, temporaryEnding } from './data-folder.js'
import { EmbeddedServerError, codeOf, textOf } from './error.js'
import type { Layout } from './layout.js'
import { programOf, run, tellingLine } from './program.js'
import type { Runner } from './program.js'
import { ownBy } from './strategies.js'

export const superuser = 'postgres'
const unfinishedPrefix = 'postgres.new-'

/** @throws EmbeddedServerError, before anything is touched, when the folder is not for this PostgreSQL */
export async function hasCluster({ cluster, home, dataDir, location }: Layout, { majorVersion }: Binaries): Promise<boolean> {
  if (home !== dataDir && !(await exists(home))) {
    throw new EmbeddedServerError(`The database is in ${home}, says ${location}, and that is gone: bring it back, or remove the file.`)
  }
  const version = await versionOf(cluster)
  if (version === undefined || version === majorVersion) return version !== undefined
  throw new EmbeddedServerError(
    `${cluster} was made by PostgreSQL ${version}, and this is ${majorVersion}: ` +
      'dump it with the version that made it and load the dump here, or set DATA_DIR to another folder.',
  )
}

async function versionOf(cluster: string): Promise<string | undefined> {
  try {
    const names = await readdir(cluster)
    if (names.includes('PG_VERSION')) return (await readFile(path.join(cluster, 'PG_VERSION'), 'utf8')).trim()
    if (names.length === 0) return undefined
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new EmbeddedServerError(`${cluster} cannot be read (${textOf(error)}): run as the user that owns it.`, { cause: error })
  }
  throw new EmbeddedServerError(
    `${cluster} holds something that is not a PostgreSQL database: move it away, or set DATA_DIR to another folder.`,
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
  await sweepUnfinished(layout.home, unfinishedPrefix)
  const work = path.join(layout.home, `${unfinishedPrefix}${temporaryEnding()}`)
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
  const { status, output } = await run(runner, programOf(runner.binaries, 'initdb'), [
    `--pgdata=${path.join(work, 'data')}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C', // and the collation of PostgreSQL itself: the same order on every system
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
    ...syncOptions(isDurable),
  ])
  if (status !== 0) throw new EmbeddedServerError(`The embedded database could not be made: initdb says: ${tellingLine(output)}`)
}

/** One call for the file system, where there is one, in place of one for each of a thousand files. */
function syncOptions(isDurable: boolean): string[] {
  if (!isDurable) return ['--no-sync']
  return process.platform === 'linux' ? ['--sync-method=syncfs'] : []
}

async function moveIntoPlace(data: string, { cluster, home }: Layout): Promise<boolean> {
  try {
    await rename(data, cluster)
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error)) && (await exists(path.join(cluster, 'PG_VERSION')))) return false
    throw error
  }
  await flush(home)
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
  const names = await readdir(cluster, { recursive: true })
  await Promise.all(names.map((name) => lchown(path.join(cluster, name), owner.uid, owner.gid)))
  await lchown(cluster, owner.uid, owner.gid) // last: until then the next start does all of it again
}

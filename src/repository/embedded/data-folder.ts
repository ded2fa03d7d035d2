import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, lchown, link, open, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeFolder } from '../../make-folder.js'
import { EmbeddedServerError, codeOf, textOf } from './error.js'
import type { Layout } from './layout.js'
import { isAlive } from './pid-file.js'

/** A user and a group of the system, by number. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Makes the data directory if it is missing; changes nothing when it cannot be written to. */
export async function prepareDataFolder(dataDir: string): Promise<void> {
  try {
    await makeFolder(dataDir)
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new EmbeddedServerError(
      `The data directory ${dataDir} cannot be written to (${textOf(error)}): ` +
        'make it writable for this user, or set DATA_DIR to a folder that is.',
      { cause: error },
    )
  }
}

/**
 * The secret of this data directory, made once. Two processes that start together agree on one:
 * the file appears whole, under its name, for the first of them only.
 * @param mayMake false when there is a database already: a new secret would not open it
 */
export async function secretOf(layout: Layout, mayMake: boolean): Promise<string> {
  for (;;) {
    const secret = await readSecret(layout)
    if (secret !== undefined) return secret
    if (!mayMake) throw new EmbeddedServerError(`${layout.secret} is missing, and only it opens ${layout.cluster}: put it back.`)
    const draft = `${layout.secret}.${temporaryEnding()}`
    try {
      await writeFile(draft, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx', flush: true })
      await giveToOwnerOf(layout.dataDir, draft)
      await link(draft, layout.secret)
      await flush(layout.dataDir)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      await rm(draft, { force: true })
    }
  }
}

async function readSecret({ secret: file }: Layout): Promise<string | undefined> {
  try {
    const secret = (await readFile(file, 'utf8')).trim()
    if (secret !== '') return secret
    throw new EmbeddedServerError(`${file} is empty: put back the file that belongs to this data directory.`)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (error instanceof EmbeddedServerError) throw error
    throw new EmbeddedServerError(`${file} cannot be read (${textOf(error)}): run as the user that owns it.`, { cause: error })
  }
}

/** Root leaves nothing behind that the owner of the folder could not change later. */
export async function giveToOwnerOf(folder: string, file: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(folder)
  await lchown(file, uid, gid)
}

/** Sees to it that a file, or the names in a folder, survive a crash of the machine. */
export async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r')
  await handle.sync().finally(() => handle.close())
}

/** Part of a name that tells later starts whose unfinished work this is. */
export function temporaryEnding(): string {
  const ending = `${process.pid}-${randomBytes(4).toString('hex')}`
  endingsOfOurs.add(ending)
  return ending
}

/** In a container every life of a process may have the same number. */
const endingsOfOurs = new Set<string>()

/** Takes away what processes that died in the middle of something left in `folder`. */
export async function sweepUnfinished(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || isUnderWay(name.slice(prefix.length))) continue
    // A program that outlived its starter may still be writing there: another start will manage.
    await rm(path.join(folder, name), { recursive: true, force: true }).catch(() => undefined)
  }
}

function isUnderWay(ending: string): boolean {
  const ownerPid = Number(/^(\d+)-[0-9a-f]{8}$/.exec(ending)?.[1])
  return ownerPid === process.pid ? endingsOfOurs.has(ending) : Number.isNaN(ownerPid) || isAlive(ownerPid)
}

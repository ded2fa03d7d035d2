import { randomBytes } from 'node:crypto'
import { link, readFile, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ConfigError } from './config/index.js'
import { makeFolder } from './make-folder.js'

/**
 * The master secret that was generated for an embedded database; made on the first start, mode 0600.
 * Two starts at once agree on one: the file appears whole, and only once.
 * @param mayMake false when there are keys already: a new secret would not open them
 */
export async function generatedMasterSecret(dataDir: string, mayMake: boolean): Promise<string> {
  const file = path.join(dataDir, 'master-secret')
  try {
    return await readSecret(file)
  } catch (error) {
    if (!isMissing(error)) throw unreadable(file, error)
    if (!mayMake) throw new ConfigError(`${file} is missing, and only it opens the keys in this database: put it back, or give what it held as MASTER_SECRET`)
  }
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  await makeFolder(dataDir)
  await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  await link(draft, file).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw unreadable(file, error)
  })
  await unlink(draft)
  return readSecret(file)
}

async function readSecret(file: string): Promise<string> {
  const secret = (await readFile(file, 'utf8')).trim()
  if (Buffer.byteLength(secret) < 32) throw new ConfigError(`${file} holds less than 32 bytes: restore it, or remove DATA_DIR to begin anew`)
  return secret
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

function unreadable(file: string, error: unknown): Error {
  return error instanceof ConfigError ? error : new ConfigError(`${file} cannot be used (${error instanceof Error && 'code' in error ? String(error.code) : 'error'})`)
}

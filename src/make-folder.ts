import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'

/**
 * Makes a folder and those above it, mode 0700, where they are missing. Step by step: `mkdir` of Node with `recursive` never
 * ends where a parent is there and takes no folder (`/proc/x`).
 * @throws the error of the system
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST' && (await isFolder(folder))) return
    const parent = path.dirname(folder)
    if (code !== 'ENOENT' || parent === folder || (await isFolder(parent))) throw error
    await makeFolder(parent)
    await mkdir(folder, { mode: 0o700 }).catch(unlessThere(folder))
  }
}

const isFolder = (file: string): Promise<boolean> => stat(file).then((found) => found.isDirectory(), () => false)

/** Another process may make the same folder at the same time. */
const unlessThere = (folder: string) => async (error: unknown): Promise<void> => {
  if (!(await isFolder(folder))) throw error
}

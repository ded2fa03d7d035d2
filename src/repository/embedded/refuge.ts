import { chmod, cp, link, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { exists } from './binaries.js'
import { flush, temporaryEnding } from './data-folder.js'
import { codeOf } from './error.js'
import { layoutOf, layoutWith } from './layout.js'
import type { Layout } from './layout.js'

/** A new folder of root's that others may pass through, but not look into; undefined when there can be none. */
export async function openRefuge(parent: string): Promise<string | undefined> {
  try {
    const folder = await mkdtemp(path.join(parent, 'tessera-'))
    await chmod(folder, 0o711)
    return folder
  } catch {
    return undefined
  }
}

/**
 * Makes the refuge the home of the data directory's cluster, and moves the cluster there if there is one.
 * The location is written first: who is killed in the middle of the move finds the way on at the next start.
 * @returns where the cluster is; in another refuge, if another process was faster
 */
export async function settleIn(home: string, { dataDir, location }: Layout): Promise<Layout> {
  const draft = `${location}.${temporaryEnding()}`
  try {
    await writeFile(draft, `${home}\n`, { mode: 0o644, flag: 'wx', flush: true })
    await link(draft, location)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  const layout = layoutOf(dataDir)
  await finishMove(layout)
  return layout
}

/** Brings a cluster that is still in the data directory to where it belongs. */
export async function finishMove({ dataDir, home, cluster }: Layout): Promise<void> {
  const old = layoutWith(dataDir, dataDir).cluster
  if (home === dataDir || (await exists(cluster)) || !(await exists(old))) return
  try {
    await rename(old, cluster)
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error
    await copyOver(old, cluster)
  }
  await flush(home)
}

/** Across file systems: the old cluster goes when the new one is whole and on the disk. */
async function copyOver(old: string, cluster: string): Promise<void> {
  const arrival = path.join(path.dirname(cluster), `postgres.new-${temporaryEnding()}`)
  await cp(old, arrival, { recursive: true, preserveTimestamps: true })
  for (const name of await readdir(arrival, { recursive: true })) await flush(path.join(arrival, name))
  await rename(arrival, cluster)
  await flush(path.dirname(cluster))
  await rm(old, { recursive: true, force: true })
}

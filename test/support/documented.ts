import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { packageRoot } from '../../src/package-root.js'

/**
 * A configuration that the documentation shows, with other addresses.
 * @param file of the repository
 * @param replacements what stands in it → what stands there now
 * @throws when something to be replaced does not stand there
 */
export async function documentedConfiguration(file: string, replacements: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(path.join(packageRoot, file), 'utf8')
  for (const [documented, here] of Object.entries(replacements)) {
    if (!text.includes(documented)) throw new Error(`${file} does not name ${documented}`)
    text = text.replaceAll(documented, here)
  }
  return text
}

// Turns the TypeScript sources into dist/, file by file, when one of them is newer than the last build.
// esbuild only strips the types, in a tenth of a second for the whole tree; `npm run typecheck` checks them.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const packageRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const outputFolder = path.join(packageRoot, 'dist')

const runtimeFolders = ['src', 'plugins', 'routes', 'schemas']
const developmentFolders = ['test', 'bench']

/** @param {string[]} folders */
function sourcesIn(folders) {
  return folders
    .map((folder) => path.join(packageRoot, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => path.join(folder, name)))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .sort()
}

/** @param {string} source */
const outputOf = (source) => path.join(outputFolder, path.relative(packageRoot, source)).replace(/\.ts$/, '.js')

/**
 * @param {{ development?: boolean }} [options] `development`: the tests and benchmarks too
 */
export async function compile({ development = false } = {}) {
  const folders = development ? [...runtimeFolders, ...developmentFolders] : runtimeFolders
  const sources = sourcesIn(folders)
  if (sources.length === 0) return // an image that carries dist/ alone
  const stamp = path.join(outputFolder, development ? '.built-for-development' : '.built')
  const list = sources.map((source) => path.relative(packageRoot, source)).join('\n')
  if (isFresh(stamp, sources, list)) return
  const { build } = await import('esbuild') // loaded when there is something to do: a command should start fast
  await build({
    entryPoints: sources,
    outdir: outputFolder,
    outbase: packageRoot,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'linked',
    logLevel: 'warning',
  })
  removeOrphans(folders, sources)
  mkdirSync(outputFolder, { recursive: true })
  writeFileSync(stamp, list)
}

/**
 * @param {string} stamp
 * @param {string[]} sources
 * @param {string} list
 */
function isFresh(stamp, sources, list) {
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== list) return false
  const builtAt = statSync(stamp).mtimeMs
  return sources.every((source) => statSync(source).mtimeMs < builtAt && existsSync(outputOf(source)))
}

/**
 * The output of a source that was deleted must not be loaded again.
 * @param {string[]} folders
 * @param {string[]} sources
 */
function removeOrphans(folders, sources) {
  const wanted = new Set(sources.map(outputOf))
  for (const folder of folders) {
    const output = path.join(outputFolder, folder)
    if (!existsSync(output)) continue
    for (const name of readdirSync(output, { recursive: true, encoding: 'utf8' })) {
      const file = path.join(output, name)
      if (file.endsWith('.js') && !wanted.has(file)) {
        rmSync(file)
        rmSync(`${file}.map`, { force: true })
      }
    }
  }
}

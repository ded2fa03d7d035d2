import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { once } from './once.js'
import { makeStaticAnswer, type StaticAnswer } from './static-answer.js'

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
}

/**
 * The files of the documentation page, each read when it is first asked for, and kept. A file that was opened for every answer would
 * be open for as long as the client does not read.
 * @returns null for a file that is not there
 */
export function docsFiles(): (name: string) => Promise<StaticAnswer> | null {
  const folder = path.join(path.dirname(createRequire(import.meta.url).resolve('@fastify/swagger-ui/package.json')), 'static')
  const names = readdirSync(folder).filter((name) => types[path.extname(name)] !== undefined && name !== 'index.html')
  const read = async (name: string): Promise<StaticAnswer> => makeStaticAnswer(types[path.extname(name)] ?? '', await readFile(path.join(folder, name)))
  const files = new Map(names.map((name) => [name, once(() => read(name))]))
  return (name) => files.get(name)?.() ?? null
}

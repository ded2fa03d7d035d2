// Reads what tap writes and says, in a line a file, what became of it; of failures it says more.
import { inspect } from 'node:util'
import { Parser } from 'tap-parser'

/**
 * @param {import('node:stream').Readable} stream
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>} counted over all assertions
 */
export function reportTap(stream) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const failedFiles = []
  const explained = new Set()
  const explain = (result) => {
    counts.failed += 1
    explained.add(fileOf(result))
    printFailure(result)
  }

  const parser = new Parser()
  parser.on('result', (result) => {
    if (kindOf(result) === 'failed') explain(result)
    else counts[kindOf(result)] += 1
  })
  parser.on('assert', (file) => {
    if (!file.ok) failedFiles.push(file)
    console.log(`${file.ok ? 'ok  ' : 'FAIL'} ${sourceName(file.name)}${file.time ? ` (${Math.round(file.time)} ms)` : ''}`)
  })
  return new Promise((resolve) => {
    parser.on('complete', () => {
      // Killed in the middle: no assertion failed, and yet not all is well.
      failedFiles.filter((file) => !explained.has(fileOf(file))).forEach(explain)
      resolve(counts)
    })
    stream.pipe(parser)
  })
}

/** @param {import('tap-parser').Result} result */
const fileOf = ({ fullname, name }) => (fullname || name).split(' > ', 1)[0].trim()

/** @param {import('tap-parser').Result} result */
function kindOf({ ok, skip, todo }) {
  if (skip || todo) return 'skipped'
  return ok ? 'passed' : 'failed'
}

/** @param {import('tap-parser').Result} result */
function printFailure({ fullname, name, diag, tapError }) {
  const { at, stack, diff, source, stdio, cwd, externalID, command, args, jobId, ...rest } = diag ?? {}
  const place = at?.fileName ? `${at.fileName}:${at.lineNumber}:${at.columnNumber}` : undefined
  console.log(`\n✖ ${sourceName(fullname || name)}${tapError ? ` (${tapError})` : ''}`)
  for (const part of [place, diff, Object.keys(rest).length > 0 ? inspect(rest, { depth: 6 }) : undefined, stack]) {
    if (part) console.log(String(part).trimEnd().replace(/^/gm, '    '))
  }
  console.log()
}

/** @param {string} name */
const sourceName = (name) => name.replace(/\bdist\/(\S+\.test)\.js\b/g, '$1.ts')

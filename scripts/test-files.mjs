// Runs compiled test files, each in a process of its own that speaks TAP, and says in a line a file what became of it.
// The tap package's own runner does more (plugins built at the first run, loaders, coverage) and takes seconds for it.
import { spawn } from 'node:child_process'
import { inspect } from 'node:util'
import { Parser } from 'tap-parser'

/** What measures times, or takes all that the machine has, runs after the others and by itself. */
const runsAlone = /\.alone\.test\.js$/
/** What a file may take, unless it says `t.setTimeout`; generous, since slow machines are no failure. */
const secondsPerFile = 300

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts counted over all assertions
 * @typedef {{ atOnce: number, cwd: string, env: NodeJS.ProcessEnv, signal: AbortSignal, proofs: import('./proofs.mjs').Proofs, canaries: import('./canaries.mjs').Canaries }} Surroundings
 */

/**
 * @param {string[]} files
 * @param {Surroundings} surroundings
 * @returns {Promise<Counts>}
 */
export async function runTestFiles(files, surroundings) {
  const total = { passed: 0, failed: 0, skipped: 0 }
  const runAll = async (waiting) => {
    for (let file = waiting.shift(); file !== undefined && !surroundings.signal.aborted; file = waiting.shift()) {
      const counts = await runTestFile(file, surroundings)
      for (const kind of Object.keys(total)) total[kind] += counts[kind]
    }
  }
  const together = files.filter((file) => !runsAlone.test(file))
  await Promise.all(Array.from({ length: surroundings.atOnce }, () => runAll(together)))
  await runAll(files.filter((file) => runsAlone.test(file)))
  return total
}

/**
 * @param {string} file
 * @param {Surroundings} surroundings
 * @returns {Promise<Counts>}
 */
async function runTestFile(file, { cwd, env, signal, proofs, canaries }) {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const failures = []
  const comments = []
  const name = file.replace(/^dist\//, '').replace(/\.js$/, '.ts')
  const startedAt = Date.now()
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd,
    env: { ...env, ...(await canaries.environmentOf(name)), TAP_TIMEOUT: String(secondsPerFile) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const stop = () => {
    child.kill('SIGTERM')
    setTimeout(() => child.kill('SIGKILL'), 10_000).unref()
  }
  signal.addEventListener('abort', stop)
  const onResult = (result) => {
    counts[kindOf(result)] += 1
    proofs.note(result.fullname, kindOf(result), name)
    if (kindOf(result) === 'failed') failures.push(describe(result))
  }
  const [results, ending] = await Promise.all([parse(child.stdout, { onResult, onComment: (comment) => comments.push(comment) }), endOf(child)])
  signal.removeEventListener('abort', stop)
  if (counts.failed === 0 && (ending !== undefined || !results.ok)) {
    counts.failed = 1
    failures.push(ending ?? inspect(results.failures, { depth: 6 }))
  }
  for (const failure of failures) console.log(`\n✖ ${name}${failure}\n`)
  console.log(`${counts.failed > 0 ? 'FAIL' : 'ok  '} ${name} (${counts.passed} passed, ${Date.now() - startedAt} ms)`)
  for (const comment of comments) console.log(`       ${comment}`)
  return counts
}

/** What the reporter says in comments, beside what tests say themselves (`t.comment`). */
const ofTheReporter = /^# (Subtest|time=|failed \d|bail|\{ total)/i

/**
 * @param {import('node:stream').Readable} stream
 * @param {{ onResult: (result: import('tap-parser').Result) => void, onComment: (comment: string) => void }} handlers
 * @returns {Promise<import('tap-parser').FinalResults>}
 */
function parse(stream, { onResult, onComment }) {
  const listen = (parser) => {
    parser.on('child', listen)
    parser.on('comment', (comment) => {
      if (!ofTheReporter.test(comment)) onComment(comment.trim().replace(/^# /, ''))
    })
  }
  return new Promise((resolve) => {
    const parser = new Parser(resolve)
    listen(parser)
    parser.on('result', onResult)
    stream.pipe(parser)
  })
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<string | undefined>} why it did not end well
 */
function endOf(child) {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`: ${error.message}`))
    child.on('close', (status, signal) => resolve(status === 0 ? undefined : ` ended with ${signal ?? `status ${status}`}`))
  })
}

/** @param {import('tap-parser').Result} result */
function kindOf({ ok, skip, todo }) {
  if (skip || todo) return 'skipped'
  return ok ? 'passed' : 'failed'
}

/** @param {import('tap-parser').Result} result */
function describe({ fullname, name, diag, tapError }) {
  const { at, stack, diff, source, ...rest } = diag ?? {}
  const place = at?.fileName ? `${at.fileName}:${at.lineNumber}:${at.columnNumber}` : undefined
  const details = [place, diff, Object.keys(rest).length > 0 ? inspect(rest, { depth: 6 }) : undefined, stack]
    .filter((detail) => detail !== undefined && detail !== '')
    .map((detail) => String(detail).trimEnd().replace(/^/gm, '    '))
  return [` > ${fullname || name}${tapError ? ` (${tapError})` : ''}`, ...details].join('\n')
}

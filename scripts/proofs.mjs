// Which lines of the lists of attacks and of faults (test/proofs.mjs) the tests of a run have proved: a test whose title,
// or that of a test around it, says `case 12:`, `fault 3:`, `[attack:slug]` or `[fault:slug]` counts for that line.
import { attacks, faults } from '../test/proofs.mjs'

/**
 * @typedef {import('../test/proofs.mjs').Line} Line
 * @typedef {'passed' | 'failed' | 'skipped'} Outcome
 * @typedef {{ passed: number, failed: number, skipped: number, files: Set<string> }} Tally
 */

const inTitles = /\b(case|fault) (\d+):|\[(attack|fault):([a-z0-9-]+)\]/g

/** @param {string} fullTitle @returns {Set<string>} `case 12`, `attack no-coercion` */
const linesNamedIn = (fullTitle) =>
  new Set(Array.from(fullTitle.matchAll(inTitles), ([, list, number, listOfSlug, slug]) => (slug ? `${listOfSlug} ${slug}` : `${list} ${number}`)))

/** The run that proves a line, unless the line names another. */
export const usualRun = 'npm test'

/** What the tests of one run have proved. */
export class Proofs {
  /** @type {Map<string, Tally>} by `case 12` or `attack no-coercion` */
  #tallies = new Map()

  /**
   * @param {string} fullTitle with the titles of the tests around it
   * @param {Outcome} outcome
   * @param {string} file
   */
  note(fullTitle, outcome, file) {
    for (const name of linesNamedIn(fullTitle)) {
      const tally = this.#tallies.get(name) ?? { passed: 0, failed: 0, skipped: 0, files: new Set() }
      tally[outcome] += 1
      tally.files.add(file)
      this.#tallies.set(name, tally)
    }
  }

  /**
   * @param {string | null} run `npm test` or the like, when all of it ran; null: a part of the suite
   * @returns {{ table: string, missing: string[] }} `missing`: what this run should have proved and has not
   */
  report(run) {
    const rows = []
    const missing = []
    for (const { name, text, reason, in: provedIn = usualRun } of allLines()) {
      const tally = this.#tallies.get(name)
      const isDue = provedIn === run && reason === undefined
      if (isDue && !isProved(tally)) missing.push(`${name} is proved by no test: ${text}`)
      if (tally === undefined && provedIn !== run && run !== usualRun) continue
      const absence = reason ?? (isDue ? 'NO TEST' : `in ${provedIn}`)
      rows.push(`${name.padEnd(widestName)} ${text.padEnd(widestText)}  ${tally ? describe(tally) : absence}`)
    }
    const known = new Set(allLines().map(({ name }) => name))
    missing.push(...[...this.#tallies.keys()].filter((name) => !known.has(name)).map((name) => `${name} is on no list`))
    return { table: rows.join('\n'), missing }
  }
}

const isNumber = (key) => /^\d+$/.test(key)

/** @returns {(Line & { name: string })[]} */
const allLines = () =>
  [['case', 'attack', attacks], ['fault', 'fault', faults]].flatMap(([byNumber, bySlug, lines]) =>
    Object.entries(lines).map(([key, line]) => ({ name: `${isNumber(key) ? byNumber : bySlug} ${key}`, ...line })))

const widestName = Math.max(...allLines().map(({ name }) => name.length))
const widestText = Math.max(...allLines().map(({ text }) => text.length))

/** A test that is skipped says why itself: a program that it needs is not installed. @param {Tally | undefined} tally */
const isProved = (tally) => tally !== undefined && tally.passed + tally.skipped > 0

/** @param {Tally} tally */
function describe({ files, ...counts }) {
  const outcomes = Object.entries(counts).filter(([, count]) => count > 0).map(([outcome, count]) => `${count} ${outcome}`)
  return `${outcomes.join(', ')}: ${[...files].sort().join(', ')}`
}

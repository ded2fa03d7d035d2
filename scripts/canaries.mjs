// At the end of a run, every log is searched for every secret that any test used: those of all nodes, and PostgreSQL's. The
// tests note both in a folder each (test/support/canaries.ts).
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** A shorter one, a PIN such as 0000, stands in every log by accident: test/attacks/secrets.test.ts uses longer ones. */
const shortestBytes = 8
/** So does a word, somebody's wrong password `constructor`, and what is blank. */
const word = /^([A-Za-z_-]+|\s*)$/
const leaksShown = 20

/**
 * @typedef {{ description: string, bytes: Buffer }} Canary one form of a secret
 */

export class Canaries {
  /** @type {Map<string, string>} file → its folder */
  #folders = new Map()

  /** @param {string} folder where the tests note; it must be there */
  constructor(folder) {
    this.folder = folder
  }

  /** @param {string} file @returns {Promise<NodeJS.ProcessEnv>} for the process that runs it */
  async environmentOf(file) {
    const folder = path.join(this.folder, String(this.#folders.size))
    this.#folders.set(file, folder)
    await mkdir(folder, { recursive: true })
    return { TESSERA_TEST_CANARIES: folder }
  }

  /**
   * @param {string} databaseLog
   * @returns {Promise<{ summary: string, leaks: string[] }>}
   */
  async search(databaseLog) {
    const startedAt = performance.now()
    const { canaries, ignored } = await this.#canaries()
    const haystack = new Haystack(canaries)
    const leaks = new Set()
    let bytes = 0
    for (const [name, file] of [["PostgreSQL's log", databaseLog], ...[...this.#folders].map(([test, folder]) => [`the log of ${test}`, path.join(folder, 'log')])]) {
      const log = await read(file)
      bytes += log.length
      for (const { canary, line } of haystack.find(log)) {
        leaks.add(`${canary.description} stands in ${name}, line ${line}`)
      }
    }
    const ms = Math.round(performance.now() - startedAt)
    const summary = `${(bytes / 1e6).toFixed(1)} MB of logs searched for ${canaries.length} secrets in ${ms} ms; ${ignored} too short or plain words`
    return { summary, leaks: [...leaks].slice(0, leaksShown) }
  }

  async #canaries() {
    const canaries = new Map()
    let ignored = 0
    for (const [file, folder] of this.#folders) {
      for (const line of (await read(path.join(folder, 'secrets'))).toString().split('\n')) {
        if (line === '') continue
        const [kind, secret] = JSON.parse(line)
        if (Buffer.byteLength(secret) < shortestBytes || word.test(secret)) ignored += 1
        else for (const form of formsOf(secret)) canaries.set(form, { description: describe(kind, secret, file), bytes: Buffer.from(form) })
      }
    }
    return { canaries: [...canaries.values()], ignored }
  }
}

/** Enough to find it in the test, and nothing that would be a leak itself. @param {string} kind @param {string} secret @param {string} file */
function describe(kind, secret, file) {
  const letters = Array.from(secret)
  return `${kind} of ${file} (${letters.length} characters, "${letters.slice(0, 3).join('')}…")`
}

/** @param {string} file */
const read = (file) => readFile(file).catch(() => Buffer.alloc(0))

const jwt = /^eyJ[\w-]+\.([\w-]{20,})\.([\w-]{20,})$/

/** How a secret may stand in a log: as it is, escaped, and a token by either of the parts that are its own. @param {string} secret */
function formsOf(secret) {
  const [, payload, signature] = jwt.exec(secret) ?? []
  if (payload !== undefined) return [payload, signature]
  return new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
}

const base = 0x01000193
const baseToTheWindow = Array.from({ length: shortestBytes }).reduce((power) => Math.imul(power, base), 1)
const filterBits = 22

/** Finds any of many texts: a rolling hash over as many bytes as the shortest has says where to look (Rabin and Karp). */
class Haystack {
  #filter = new Uint8Array(1 << filterBits)
  /** @type {Map<number, Canary[]>} by the hash of the first bytes */
  #byHash = new Map()

  /** @param {Canary[]} canaries */
  constructor(canaries) {
    for (const canary of canaries) {
      let hash = 0
      for (const byte of canary.bytes.subarray(0, shortestBytes)) hash = (Math.imul(hash, base) + byte) | 0
      this.#filter[hash >>> (32 - filterBits)] = 1
      this.#byHash.set(hash, [...(this.#byHash.get(hash) ?? []), canary])
    }
  }

  /** Each secret once. @param {Buffer} log */
  find(log) {
    const found = new Map()
    let hash = 0
    for (let i = 0; i < log.length; i += 1) {
      hash = (Math.imul(hash, base) + log[i] - (i < shortestBytes ? 0 : Math.imul(log[i - shortestBytes], baseToTheWindow))) | 0
      if (this.#filter[hash >>> (32 - filterBits)] === 0) continue
      const start = i - shortestBytes + 1
      for (const canary of this.#byHash.get(hash) ?? []) {
        if (!found.has(canary) && canary.bytes.equals(log.subarray(start, start + canary.bytes.length))) found.set(canary, start)
      }
    }
    return [...found].map(([canary, start]) => ({ canary, line: lineOf(log, start) }))
  }
}

/** @param {Buffer} log @param {number} end */
function lineOf(log, end) {
  let line = 1
  for (let i = 0; i < end; i += 1) if (log[i] === 10) line += 1
  return line
}

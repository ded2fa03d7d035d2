import { appendFileSync } from 'node:fs'
import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Hasher } from '../../src/domain/passwords.js'

/**
 * Every secret that a test uses or is given, and every line that a node logs, are kept for the end of the run: then all logs,
 * PostgreSQL's too, are searched for all secrets (scripts/canaries.mjs).
 */
const folder = process.env.TESSERA_TEST_CANARIES

class Notes {
  #waiting: string[] = []
  #bytes = 0

  constructor(private readonly file: string) {
    process.on('exit', () => {
      this.#write()
    })
  }

  add(text: string): void {
    if (folder === undefined) return
    this.#waiting.push(text)
    this.#bytes += text.length
    if (this.#bytes > 1_000_000) this.#write()
  }

  #write(): void {
    if (folder === undefined || this.#waiting.length === 0) return
    appendFileSync(path.join(folder, this.file), this.#waiting.join(''))
    this.#waiting = []
    this.#bytes = 0
  }
}

const secrets = new Notes('secrets')
const logs = new Notes('log')
const known = new Set<string>()

/** @param line with its line break, or without */
export const noteLog = (line: string): void => {
  logs.add(line.endsWith('\n') ? line : `${line}\n`)
}

/** @param kind what it is, for who is told that it leaked */
export function noteSecret(kind: string, secret: string | null | undefined): void {
  if (!secret || known.has(secret)) return
  known.add(secret)
  secrets.add(`${JSON.stringify([kind, secret])}\n`)
}

const tokens = /eyJ[\w-]{10,}\.[\w-]+\.[\w-]+|sk_live_\w{20,}/g

/** Tokens and API keys, wherever they stand in what was sent or answered. */
export function noteTokensIn(text: string): void {
  for (const [token] of text.matchAll(tokens)) noteSecret(token.startsWith('sk_') ? 'API key' : 'token', token)
}

const secretNames = new Set(['secret', 'otp', 'current', 'new', 'password', 'pin', 'token', 'key', 'accessToken', 'refreshToken', 'otpauthUrl', 'refreshCookies', 'replaces'])
const noSecret = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|pin|directus|bearer|tokenset)$/i

/** Texts that stand for themselves, and those that members with a telling name hold. */
function noteWithin(kind: string, value: unknown, isTelling: boolean): void {
  if (typeof value === 'string') {
    if (isTelling && !noSecret.test(value)) noteSecret(kind, value)
  } else if (Array.isArray(value)) {
    for (const item of value) noteWithin(kind, item, isTelling)
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) noteWithin(`${kind}: ${name}`, member, secretNames.has(name))
  }
}

type Operation = (...given: unknown[]) => unknown

/** What goes into these operations and comes out of them is noted. */
function watch(kind: string, operations: object): void {
  for (const [name, operation] of Object.entries(operations) as [string, unknown][]) {
    if (typeof operation === 'function') Object.assign(operations, { [name]: noting(`${kind}.${name}`, operation as Operation) })
    else if (typeof operation === 'object' && operation !== null) watch(`${kind}.${name}`, operation)
  }
}

const noting =
  (kind: string, operation: Operation): Operation =>
  (...given) => {
    noteWithin(kind, given, true)
    const result = operation(...given)
    if (result instanceof Promise) result.then((value: unknown) => { noteWithin(kind, value, true) }, () => undefined)
    else noteWithin(kind, result, true)
    return result
  }

/** From here on, what this node is shown and what it gives out is noted. */
export function watchSecrets(app: FastifyInstance, hasher: Hasher): void {
  if (folder === undefined) return
  watch('identity', app.identity)
  watch('oauth', app.oauth)
  const signing = { ...app.accessTokens }
  app.accessTokens.sign = (claims, typ) => {
    const token = signing.sign(claims, typ)
    noteSecret('token', token)
    return token
  }
  const hashing = { ...hasher }
  hasher.hash = (secret, fairness) => {
    noteSecret('password', secret)
    return hashing.hash(secret, fairness)
  }
}

import { isIP } from 'node:net'
import { canDecode, problemOfDatabaseUrl } from '../database-url.js'
import { isExactOrigin, originExpected } from './origin-list.js'

export type Parsed<T> = { value: T } | { expected: string }

/** One environment variable: what it says, how its text becomes a value. */
export interface Setting<T> {
  readonly description: string
  /** What stands in the documentation as its default; null: none. */
  readonly shownDefault: string | null
  /** May come as `NAME_FILE`, and is never repeated in a message. */
  readonly secret: boolean
  /** Every character of it counts, blanks at its ends too: a secret that is no URL. */
  readonly verbatim: boolean
  /** @returns the value, or what was expected instead */
  parse(text: string): Parsed<T>
  readonly fallback: T
}

interface Options {
  secret?: boolean
  verbatim?: boolean
  shownDefault?: string
}

type Parse<T> = (text: string) => Parsed<T>

function required<T>(description: string, fallback: T, options: Options, parse: Parse<T>): Setting<T> {
  return { description, fallback, parse, secret: options.secret ?? false, verbatim: options.verbatim ?? false, shownDefault: options.shownDefault ?? `\`${String(fallback)}\`` }
}

function optional<T>(description: string, options: Options, parse: Parse<T>): Setting<T | null> {
  return { description, fallback: null, parse, secret: options.secret ?? false, verbatim: options.verbatim ?? false, shownDefault: options.shownDefault ?? null }
}

const items = (text: string): string[] => text.split(',').map((item) => item.trim()).filter((item) => item !== '')

type TextOptions = Options & { pattern?: RegExp; expected?: string }
export function text(description: string, options: TextOptions & { fallback: string }): Setting<string>
export function text(description: string, options: TextOptions): Setting<string | null>
export function text(description: string, options: TextOptions & { fallback?: string }): Setting<string> | Setting<string | null> {
  const parse = (value: string): Parsed<string> => (options.pattern && !options.pattern.test(value) ? { expected: options.expected ?? 'another text' } : { value })
  return options.fallback === undefined ? optional(description, options, parse) : required(description, options.fallback, options, parse)
}

/** A secret as text; its UTF-8 bytes count. */
export function bytes(description: string, options: { min: number }): Setting<string | null> {
  return optional(description, { secret: true, verbatim: true }, (value): Parsed<string> =>
    Buffer.byteLength(value) < options.min ? { expected: `at least ${options.min} bytes` } : { value })
}

function parseInteger(min: number, max: number): Parse<number> {
  return (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN
    return number >= min && number <= max ? { value: number } : { expected: `a whole number from ${min} to ${max}` }
  }
}

export const integer = (description: string, options: Options & { fallback: number; min: number; max: number }): Setting<number> =>
  required(description, options.fallback, options, parseInteger(options.min, options.max))

export const optionalInteger = (description: string, options: Options & { min: number; max: number }): Setting<number | null> =>
  optional(description, options, parseInteger(options.min, options.max))

export const days = (description: string, options: Options): Setting<number | null> => optional(description, options, parseInteger(1, 3650))

export const flag = (description: string, options: { fallback: boolean }): Setting<boolean> =>
  required(description, options.fallback, {}, (value): Parsed<boolean> => {
    const known = new Map([['true', true], ['false', false]]).get(value)
    return known === undefined ? { expected: 'true or false' } : { value: known }
  })

export function choice<const T extends string>(description: string, options: Options & { of: readonly T[]; fallback: T }): Setting<T>
export function choice<const T extends string>(description: string, options: Options & { of: readonly T[] }): Setting<T | null>
export function choice<T extends string>(description: string, options: Options & { of: readonly T[]; fallback?: T }): Setting<T> | Setting<T | null> {
  const parse = (given: string): Parsed<T> => {
    const value = options.of.find((one) => one === given)
    return value === undefined ? { expected: `one of ${options.of.join(', ')}` } : { value }
  }
  return options.fallback === undefined ? optional(description, options, parse) : required(description, options.fallback, options, parse)
}

export function choices<const T extends string>(description: string, options: { of: readonly T[]; fallback: readonly T[]; orNone?: boolean }): Setting<readonly T[]> {
  const expected = `one or more of ${options.of.join(', ')}, separated by commas${options.orNone ? ', or none' : ''}`
  return required(description, options.fallback, {}, (given): Parsed<readonly T[]> => {
    if (options.orNone && given.trim() === 'none') return { value: [] }
    const names = items(given)
    const value = options.of.filter((one) => names.includes(one))
    return names.length > 0 && value.length === new Set(names).size ? { value } : { expected }
  })
}

const unitSeconds: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }
const longestSeconds = 3650 * 86_400

/** Seconds, or a number with a unit: `15m`, `1h`, `30d`. The value is in seconds. */
export function duration(description: string, options: Options & { fallback: string }): Setting<number>
export function duration(description: string, options: Options): Setting<number | null>
export function duration(description: string, options: Options & { fallback?: string }): Setting<number> | Setting<number | null> {
  const parse: Parse<number> = (value) => {
    const [, digits, unit] = /^(\d{1,9})([smhd]?)$/.exec(value) ?? []
    const seconds = Number(digits) * (unitSeconds[unit ?? ''] ?? NaN)
    return seconds >= 1 && seconds <= longestSeconds ? { value: seconds } : { expected: 'a time from one second to ten years, such as 900, 15m or 30d' }
  }
  if (options.fallback === undefined) return optional(description, options, parse)
  const fallback = parse(options.fallback)
  if (!('value' in fallback)) throw new Error(`${options.fallback} is no time`)
  return required(description, fallback.value, { shownDefault: `\`${options.fallback}\`` }, parse)
}

export interface Rate {
  readonly max: number
  readonly windowMs: number
}

const windowMs: Readonly<Record<string, number>> = { s: 1000, sec: 1000, min: 60_000, h: 3_600_000 }

/** `30/min`: so many in a window. */
export function rate(description: string, options: { fallback: string }): Setting<Rate> {
  const parse: Parse<Rate> = (value) => {
    const [, digits, unit] = /^(\d{1,9})\/(s|sec|min|h)$/.exec(value) ?? []
    const window = windowMs[unit ?? '']
    return window !== undefined && Number(digits) >= 1 ? { value: { max: Number(digits), windowMs: window } } : { expected: 'a rate such as 30/min, 5/s or 1000/h' }
  }
  const fallback = parse(options.fallback)
  if (!('value' in fallback)) throw new Error(`${options.fallback} is no rate`)
  return required(description, fallback.value, { shownDefault: `\`${options.fallback}\`` }, parse)
}

function parseUrl(value: string, protocols: readonly string[]): URL | null {
  const url = URL.canParse(value) ? new URL(value) : null
  return url && protocols.includes(url.protocol) && url.hostname !== '' ? url : null
}

/** An absolute http or https URL, without its trailing slash. */
export const httpUrl = (description: string, options: Options): Setting<string | null> =>
  optional(description, options, (value): Parsed<string> => {
    const url = parseUrl(value, ['http:', 'https:'])
    const plain = url?.search === '' && url.hash === '' && url.username === '' && url.password === ''
    return url && plain ? { value: (url.origin + url.pathname).replace(/\/+$/, '') } : { expected: 'an http or https URL without query, fragment and credentials' }
  })

/** @param options `password`: the setting that takes the password as it is, if there is one */
export const databaseUrl = (description: string, { password = 'DATABASE_PASSWORD', ...options }: Options & { password?: string | null } = {}): Setting<string | null> =>
  optional(description, { ...options, secret: true }, (value): Parsed<string> => {
    const problem = problemOfDatabaseUrl(value)
    if (problem === null) return { value }
    return { expected: problem.includes('percent-encode') && password !== null ? `${problem}, or give it as ${password}` : problem }
  })

export const redisUrl = (description: string): Setting<string | null> =>
  optional(description, { secret: true }, (value): Parsed<string> =>
    parseUrl(value, ['redis:', 'rediss:']) && redisGrammar.test(value) && canDecode(value)
      ? { value }
      : { expected: 'a URL such as redis://host:6379; percent-encode what is special in a password (/ is %2F, @ is %40, # is %23, ? is %3F, % is %25)' })

/** With a raw `/`, `@`, `#` or `?` in the password its pieces would pass for a host, a database or a parameter. */
const redisGrammar = /^rediss?:\/\/(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9a-f]{2})*@)?(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?:\/\d*)?(?:\?[\w.=&-]*)?$/i

function isAddressOrRange(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
}

/** A number of hops is refused on purpose: whoever adds a hop would choose the address that is counted. So is everybody (`/0`). */
export const addressList = (description: string): Setting<readonly string[] | null> =>
  optional(description, {}, (value): Parsed<readonly string[]> => {
    const addresses = items(value)
    return addresses.length > 0 && addresses.every(isAddressOrRange) ? { value: addresses } : { expected: 'IP addresses or CIDRs from /1 on, separated by commas' }
  })

/** Names of recipients of tokens (`aud`), as they stand in a query and in a token. */
export const audienceList = (description: string): Setting<readonly string[] | null> =>
  optional(description, {}, (value): Parsed<readonly string[]> => {
    const audiences = items(value)
    const isPlain = (audience: string) => /^[\x21-\x7e]{1,200}$/.test(audience)
    return audiences.length > 0 && audiences.every(isPlain) ? { value: audiences } : { expected: 'names or URLs of services in printable ASCII, separated by commas' }
  })

export const originList = (description: string): Setting<readonly string[] | null> =>
  optional(description, {}, (value): Parsed<readonly string[]> => {
    const origins = items(value)
    return origins.length > 0 && origins.every(isExactOrigin) ? { value: origins } : { expected: originExpected }
  })

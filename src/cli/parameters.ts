import { duration, type Parsed } from '../config/kinds.js'

/** What a command can be told: an option with a value, a flag, or an argument without a name. */
export interface Parameter<T> {
  /** `email` for `--email`; `FILE` for an argument. */
  readonly name: string
  readonly kind: 'option' | 'flag' | 'argument'
  /** What stands for the value in the help. */
  readonly placeholder: string
  readonly description: string
  readonly required: boolean
  readonly repeatable: boolean
  /** @param given every value, in order; none when it was not given */
  parse(given: readonly string[]): Parsed<T>
}

/** Parameters of which only one may be given. */
export interface Alternatives {
  readonly oneOf: readonly Parameter<unknown>[]
  readonly required: boolean
}

export interface Command {
  readonly summary: string
  /** More than the summary says, for `--help`. */
  readonly notes?: readonly string[]
  readonly parameters: readonly (Parameter<unknown> | Alternatives)[]
}

type Kind = Pick<Parameter<unknown>, 'name' | 'placeholder' | 'description'>

const one = { required: true, repeatable: false } as const
const oneOrNone = { required: false, repeatable: false } as const

const first = (given: readonly string[]): Parsed<string | null> => ({ value: given[0] ?? null })

/** `--name VALUE`, or nothing. */
export const option = (name: string, placeholder: string, description: string): Parameter<string | null> =>
  ({ name, placeholder, description, kind: 'option', ...oneOrNone, parse: first })

export const requiredOption = (name: string, placeholder: string, description: string): Parameter<string> =>
  ({ name, placeholder, description, kind: 'option', ...one, parse: ([value = '']) => ({ value }) })

export function flag(name: string, description: string): Parameter<boolean> {
  return { name, placeholder: '', description, kind: 'flag', ...oneOrNone, parse: (given) => ({ value: given.length > 0 }) }
}

export const json = flag('json', 'One JSON value on stdout, for machines.')
export const help = flag('help', 'Show this help.')

const among = <T extends string>(known: readonly T[]) => (text: string): T | undefined => known.find((one) => one === text)

/** One of a few words; `fallback` when it is not given. */
export function choice<const T extends string, F extends T | null>(kind: Kind & { of: readonly T[]; fallback: F }): Parameter<T | F> {
  return {
    ...kind,
    kind: 'option',
    ...oneOrNone,
    parse([text]): Parsed<T | F> {
      if (text === undefined) return { value: kind.fallback }
      const value = among(kind.of)(text)
      return value === undefined ? { expected: `one of ${kind.of.join(', ')}` } : { value }
    },
  }
}

/** Any number of texts. */
export const options = (name: string, placeholder: string, description: string): Parameter<readonly string[]> =>
  ({ name, placeholder, description, kind: 'option', required: false, repeatable: true, parse: (given) => ({ value: given }) })

/** A time from now on, such as `15m`; the value is in seconds. */
export function seconds(name: string, description: string): Parameter<number | null> {
  const time = duration('', { fallback: '1s' })
  return { name, placeholder: 'TIME', description, kind: 'option', ...oneOrNone, parse: ([text]) => (text === undefined ? { value: null } : time.parse(text)) }
}

/** Any number of a few words. */
export function choices<const T extends string>(kind: Kind & { of: readonly T[] }): Parameter<readonly T[]> {
  return {
    ...kind,
    kind: 'option',
    required: false,
    repeatable: true,
    parse(given): Parsed<readonly T[]> {
      const value = given.flatMap((text) => among(kind.of)(text) ?? [])
      return value.length === given.length ? { value } : { expected: `one of ${kind.of.join(', ')}` }
    },
  }
}

export function integer(kind: Kind & { fallback: number; min: number; max: number }): Parameter<number> {
  return {
    ...kind,
    kind: 'option',
    ...oneOrNone,
    parse([text]): Parsed<number> {
      if (text === undefined) return { value: kind.fallback }
      const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
      return value >= kind.min && value <= kind.max ? { value } : { expected: `a whole number from ${kind.min} to ${kind.max}` }
    },
  }
}

export const argument = (name: string, description: string): Parameter<string> =>
  ({ name, placeholder: name, description, kind: 'argument', ...one, parse: ([value = '']) => ({ value }) })

export const optionalArgument = (name: string, description: string): Parameter<string | null> =>
  ({ name, placeholder: name, description, kind: 'argument', ...oneOrNone, parse: first })

/** All parameters of a command, and those that every command has. */
export const parametersOf = (command: Command): readonly Parameter<unknown>[] =>
  [...command.parameters.flatMap((entry) => ('oneOf' in entry ? entry.oneOf : [entry])), json, help]

/** How a parameter is written: `--email E`, `--all`, `FILE`. */
export const written = ({ kind, name, placeholder }: Parameter<unknown>): string =>
  ({ option: `--${name} ${placeholder}`, flag: `--${name}`, argument: name })[kind]

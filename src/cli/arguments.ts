import { parseArgs } from 'node:util'
import { help, parametersOf, type Alternatives, type Command, type Parameter } from './parameters.js'

/** The command line was not understood: one line, and how it is used. */
export class MisuseError extends Error {
  override readonly name = 'MisuseError'
  readonly usage: string

  constructor(message: string, usage: string) {
    super(message)
    this.usage = usage
  }
}

/** The value of a parameter of the command that was called. */
export type Read = <T>(parameter: Parameter<T>) => T

/** How it is spoken of: `--email`, `FILE`. */
const called = ({ kind, name }: Parameter<unknown>): string => (kind === 'argument' ? name : `--${name}`)

/** What was given, by the name of the parameter. */
type Given = ReadonlyMap<string, readonly string[]>

/**
 * Understands what stands after the command.
 * @param usage the line that a misuse is answered with
 * @throws MisuseError
 */
export function parseArguments(command: Command, usage: string, args: readonly string[]): Read {
  const given = collect(parametersOf(command), args, usage)
  const read: Read = (parameter) => {
    const parsed = parameter.parse(given.get(parameter.name) ?? [])
    if ('value' in parsed) return parsed.value
    throw new MisuseError(`${called(parameter)} must be ${parsed.expected}`, usage)
  }
  // Whoever asks for help need not know what is required.
  if (read(help)) return read
  for (const entry of command.parameters) {
    if ('oneOf' in entry) requireOne(entry, given, usage)
    else requirePresence(entry, given, usage)
  }
  parametersOf(command).forEach(read)
  return read
}

function collect(parameters: readonly Parameter<unknown>[], args: readonly string[], usage: string): Given {
  const named = new Map(parameters.filter(({ kind }) => kind !== 'argument').map((parameter) => [parameter.name, parameter]))
  const nameless = parameters.filter(({ kind }) => kind === 'argument')
  const given = new Map<string, string[]>()

  function take(parameter: Parameter<unknown>, value: string): void {
    const values = given.get(parameter.name) ?? []
    if (values.length > 0 && !parameter.repeatable) throw new MisuseError(`${called(parameter)} is given twice`, usage)
    given.set(parameter.name, [...values, value])
  }

  let place = 0
  for (const token of tokensOf(named, args)) {
    if (token.kind === 'option') {
      const parameter = named.get(token.name)
      // What follows an unknown name may be a secret: only the name is repeated.
      if (parameter === undefined) throw new MisuseError(`there is no option ${token.rawName}`, usage)
      take(parameter, valueOf(parameter, token, usage))
    } else if (token.kind === 'positional') {
      const parameter = nameless[place]
      place += 1
      // It may be a secret whose option was forgotten: it is not repeated.
      if (parameter === undefined) throw new MisuseError(nameless.length === 0 ? 'an argument without an option is given' : 'too many arguments are given', usage)
      take(parameter, token.value)
    }
  }
  return given
}

/** Node's parser splits; what is wrong is said in our words. */
function tokensOf(named: ReadonlyMap<string, Parameter<unknown>>, args: readonly string[]) {
  const types = [...named.values()].map(({ name, kind }) => [name, { type: kind === 'flag' ? ('boolean' as const) : ('string' as const) }] as const)
  const options = { ...Object.fromEntries(types), help: { type: 'boolean', short: 'h' } as const }
  return parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens
}

function valueOf(parameter: Parameter<unknown>, token: { value: string | undefined; inlineValue: boolean | undefined }, usage: string): string {
  const { name, kind, placeholder } = parameter
  if (kind === 'flag') {
    if (token.value !== undefined) throw new MisuseError(`--${name} takes no value`, usage)
    return ''
  }
  const isAnotherOption = token.inlineValue !== true && token.value?.startsWith('--') === true
  if (token.value === undefined || isAnotherOption) {
    throw new MisuseError(`--${name} needs a value: --${name} ${placeholder} (or --${name}=${placeholder} if it begins with --)`, usage)
  }
  return token.value
}

function requirePresence(parameter: Parameter<unknown>, given: Given, usage: string): void {
  if (parameter.required && !given.has(parameter.name)) throw new MisuseError(`${called(parameter)} is missing`, usage)
}

function requireOne({ oneOf, required }: Alternatives, given: Given, usage: string): void {
  const count = oneOf.filter(({ name }) => given.has(name)).length
  const names = oneOf.map(called).join(', ')
  if (count > 1) throw new MisuseError(`only one of ${names} may be given`, usage)
  if (count === 0 && required) throw new MisuseError(`one of ${names} is missing`, usage)
}

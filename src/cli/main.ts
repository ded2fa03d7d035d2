import { version } from '../version.js'
import { MisuseError, parseArguments, type Read } from './arguments.js'
import { help, json } from './parameters.js'
import { commands, type Noun } from './commands.js'
import { createContext, type Handler, type OpenContext } from './context.js'
import { explain } from './errors.js'
import { callOf, commandHelp, nounHelp, overview, usageOf } from './help.js'
import type { Result } from './output.js'

/** What carries the commands of a noun out. Loaded when it is called, so that a command loads what it needs and no more. */
const loaders = {
  user: async () => (await import('./user.js')).user,
  session: async () => (await import('./session.js')).session,
  apikey: async () => (await import('./apikey.js')).apikey,
  client: async () => (await import('./client.js')).client,
  key: async () => (await import('./key.js')).key,
  migrate: async () => (await import('./migrate.js')).migrate,
  database: async () => (await import('./database.js')).database,
  audit: async () => (await import('./audit.js')).audit,
  doctor: async () => (await import('./doctor.js')).doctor,
} satisfies Record<keyof typeof commands, () => Promise<Readonly<Record<string, Handler>>>>

const nouns = new Map<string, Noun>(Object.entries(commands))
const handlersOf = new Map<string, () => Promise<Readonly<Record<string, Handler>>>>(Object.entries(loaders))

const helpWords = ['--help', '-h', 'help']

const exitStatus = { done: 0, failed: 1, misused: 2 } as const

const say = (message: string): void => {
  process.stderr.write(`${message}\n`)
}

// Whoever reads us may have read enough (`| head`): that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return
  say(`tessera: cannot write to stdout (${error.code ?? error.message})`)
  process.exitCode = exitStatus.failed
})

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args)
  } catch (error) {
    say(`tessera: ${explain(error)}`)
    if (!(error instanceof MisuseError)) return exitStatus.failed
    say(`Usage: ${error.usage}`)
    return exitStatus.misused
  }
}

async function dispatch([first = '', ...rest]: readonly string[]): Promise<number> {
  if (helpWords.includes(first)) return tell(overview(commands))
  if (first === '--version') return tell(`tessera ${version()}`)
  const noun = nouns.get(first)
  if (noun === undefined) {
    throw new MisuseError(first === '' ? 'say what to do' : 'there is no such noun', `tessera ${[...nouns.keys()].join('|')} … (tessera --help says more)`)
  }
  return '' in noun.verbs ? dispatchVerb(first, noun, ['', ...rest]) : dispatchVerb(first, noun, rest)
}

async function dispatchVerb(name: string, noun: Noun, [verb, ...rest]: readonly string[]): Promise<number> {
  if (verb !== undefined && helpWords.includes(verb)) return tell(nounHelp(name, noun))
  const command = verb !== undefined && Object.hasOwn(noun.verbs, verb) ? noun.verbs[verb] : undefined
  if (verb === undefined || command === undefined) {
    const usage = `tessera ${name} ${Object.keys(noun.verbs).join('|')} … (tessera ${name} --help says more)`
    throw new MisuseError(verb === undefined ? 'say what to do' : `there is no such command of ${name}`, usage)
  }
  const call = callOf(name, verb)
  const read = parseArguments(command, usageOf(call, command), rest)
  return read(help) ? tell(commandHelp(call, command)) : run(name, verb, read)
}

function tell(text: string): number {
  process.stdout.write(`${text}\n`)
  return exitStatus.done
}

async function run(name: string, verb: string, read: Read): Promise<number> {
  const handler = (await handlersOf.get(name)?.())?.[verb]
  if (handler === undefined) throw new Error(`nobody carries out ${callOf(name, verb)}`)
  const context = createContext(read, process.env, say)
  closeWhenInterrupted(context)
  try {
    const result = await handler(context)
    print(result, read(json))
    return result.failed === true ? exitStatus.failed : exitStatus.done
  } finally {
    await context.close()
  }
}

function print({ value, text, isStreamed }: Result, asJson: boolean): void {
  if (isStreamed === true) return
  if (asJson) process.stdout.write(`${JSON.stringify(value)}\n`)
  else if (text !== '') process.stdout.write(`${text}\n`)
}

/** An embedded server that runs for this command alone must not be left behind. */
function closeWhenInterrupted(context: OpenContext): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      say('tessera: interrupted')
      void context.close().finally(() => process.exit(exitStatus.failed))
    })
  }
}

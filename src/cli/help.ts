import { parametersOf, written, type Alternatives, type Command, type Parameter } from './parameters.js'
import type { Noun } from './commands.js'
import { columns } from './output.js'

/** How a command is called, without its options: `tessera user create`. */
export const callOf = (noun: string, verb: string): string => ['tessera', noun, verb].filter((word) => word !== '').join(' ')

/** `tessera user show (--username NAME | --email E | --id ID)` */
export const usageOf = (call: string, command: Command): string => [call, ...command.parameters.map(entryUsage)].join(' ')

function entryUsage(entry: Parameter<unknown> | Alternatives): string {
  if ('oneOf' in entry) {
    const [open, close] = entry.required ? '()' : '[]'
    return `${open}${entry.oneOf.map(written).join(' | ')}${close}`
  }
  const repeated = entry.repeatable ? ' …' : ''
  return entry.required ? written(entry) : `[${written(entry)}${repeated}]`
}

const section = (title: string, rows: readonly (readonly string[])[]): string[] => ['', `${title}:`, ...columns(rows).map((line) => `  ${line}`)]

/** `tessera user create --help` */
export function commandHelp(call: string, command: Command): string {
  const notes = command.notes ?? []
  const options = parametersOf(command).map((parameter) => [written(parameter), parameter.description])
  return [command.summary, '', `Usage: ${usageOf(call, command)}`, ...notes.flatMap((note) => ['', note]), ...section('Options', options)].join('\n')
}

/** `tessera user --help` */
export function nounHelp(name: string, noun: Noun): string {
  const verbs = Object.entries(noun.verbs).map(([verb, { summary }]) => [verb, summary])
  return [noun.summary, '', `Usage: tessera ${name} COMMAND …`, ...section('Commands', verbs), '', `tessera ${name} COMMAND --help says more about one.`].join('\n')
}

/** `tessera --help` */
export function overview(nouns: Readonly<Record<string, Noun>>): string {
  const rows = Object.entries(nouns).map(([name, noun]) => [name, Object.keys(noun.verbs).join('|'), noun.summary])
  return [
    'tessera: users, sessions, API keys and signing keys of the identity service',
    '',
    'Usage: tessera NOUN COMMAND …',
    ...section('Nouns', rows.map(([name = '', verbs = '', summary = '']) => [name, verbs === '' ? summary : `${summary}: ${verbs}`])),
    ...section('Everywhere', [
      ['--json', 'One JSON value on stdout, for machines.'],
      ['--help', 'More about a noun or a command.'],
      ['--version', 'The version of tessera.'],
    ]),
    '',
    'It reads the same environment as the service (docs/configuration.md), and works beside a running one and without.',
    'Results are written to stdout, messages to stderr. Exit status: 0 done, 1 failed, 2 misused.',
  ].join('\n')
}

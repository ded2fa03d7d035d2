import { existsSync } from 'node:fs'
import path from 'node:path'
import { loginNameOf, type DemoAccount } from './demo-accounts.js'
import type { DialectName } from './domain/model.js'
import { packageRoot } from './package-root.js'
import { version } from './version.js'

export interface GreetingFacts {
  /** Where clients reach the service, without a trailing slash. */
  readonly baseUrl: string
  readonly dialects: readonly DialectName[]
  /** Those that can be logged in to as published. */
  readonly accounts: readonly DemoAccount[]
}

interface Example {
  readonly path: string
  /** The body of a login by this account, if it is of use here. */
  body(account: DemoAccount): Readonly<Record<string, string>> | null
  readonly placeholder: Readonly<Record<string, string>>
}

const byUsername: Pick<Example, 'body' | 'placeholder'> = {
  body: ({ username, password }) => (username !== null && password !== null ? { username, password } : null),
  placeholder: { username: 'NAME', password: 'PASSWORD' },
}

const examples: Readonly<Record<DialectName, Example>> = {
  pin: {
    path: '/auth/login',
    body: ({ username, pin }) => (username !== null && pin !== null ? { name: username, pin } : null),
    placeholder: { name: 'NAME', pin: 'PIN' },
  },
  directus: {
    path: '/auth/login',
    body: ({ email, password }) => (email !== null && password !== null ? { email, password } : null),
    placeholder: { email: 'EMAIL', password: 'PASSWORD' },
  },
  bearer: { path: '/api/v1/auth/login', ...byUsername },
  tokenset: { path: '/v1/auth', ...byUsername },
}

/** How to call the service: plain text, a screen at most, ready to be copied. */
export function greeting({ baseUrl, dialects, accounts }: GreetingFacts): string {
  const logins = dialects.flatMap((dialect) => ['', `# ${dialect}`, curlOf(baseUrl, examples[dialect], accounts)])
  return ['', `tessera ${version()} answers on ${baseUrl} (documentation: ${baseUrl}/docs)`, '', ...whoLines(accounts), ...logins, '', ''].join('\n')
}

/** Logs are JSON on stdout, so it goes to stderr; and only where somebody reads it, or needs it to begin. */
export const isGreetingWanted = ({ accounts }: Pick<GreetingFacts, 'accounts'>, stdout: { isTTY?: boolean }): boolean =>
  stdout.isTTY === true || accounts.length > 0

function whoLines(accounts: readonly DemoAccount[]): string[] {
  if (accounts.length === 0) return [`Create a user: ${commandLine()} user create --username NAME --password-stdin`]
  const names = accounts.map(loginNameOf)
  const width = Math.max(...names.map(({ length }) => length))
  return [
    'Demo accounts, for this machine alone:',
    ...accounts.map((account, index) => `  ${(names[index] ?? '').padEnd(width)}  ${secretOf(account)}${account.role === 'admin' ? '  (admin)' : ''}`),
  ]
}

const secretOf = ({ pin, password }: DemoAccount): string => (pin === null ? `password ${password ?? ''}` : `PIN ${pin}`)

/** In a checkout npm knows the way; an image has only what was compiled. */
const commandLine = (): string => (existsSync(path.join(packageRoot, 'src')) ? 'npm run -s tessera --' : 'tessera')

function curlOf(baseUrl: string, example: Example, accounts: readonly DemoAccount[]): string {
  const body = accounts.map((account) => example.body(account)).find((one) => one !== null) ?? example.placeholder
  return `curl -i ${baseUrl}${example.path} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`
}

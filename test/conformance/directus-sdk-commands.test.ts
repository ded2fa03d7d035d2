import * as sdk from '@directus/sdk'
import * as newest from 'directus-sdk-newest'
import t, { type Test } from 'tap'
import { boundedConnections } from '../../src/server-options.js'
import { bind } from '../../src/listener.js'
import { startingAnswer } from '../../src/starting.js'
import { startTestApp } from '../support/app.js'
import { commandsOf, type Command } from '../support/directus-commands.js'

/**
 * The official client takes every answer that is not plain JSON for success. Each of its commands is sent, as two versions of it
 * send them: whatever goes wrong must come back to the caller as an error of Directus.
 */

const node = await startTestApp(t)
const account = { email: 'admin@example.com', password: 'Z1Tu5' }
await node.createUser({ ...account, username: 'boss', role: 'admin', demo: true })

/** The client changes what it is given. */
const copyOf = (request: Command['request']) => ({ ...request, headers: { ...request.headers } })

type Ask = (command: Command) => Promise<unknown>

interface Client {
  readonly name: string
  readonly commands: readonly Command[]
  readonly ask: (url: string, fetch: typeof globalThis.fetch, token: string | null) => Ask
}

const clients: readonly Client[] = [
  {
    name: 'version 18',
    commands: commandsOf(sdk),
    ask: (url, fetch, token) => {
      const directus = sdk.createDirectus(url, { globals: { fetch } }).with(sdk.staticToken(token ?? '')).with(sdk.rest())
      return ({ request }) => directus.request(sdk.customEndpoint(copyOf(request)))
    },
  },
  {
    name: 'version 26',
    commands: commandsOf(newest),
    ask: (url, fetch, token) => {
      const directus = newest.createDirectus(url, { globals: { fetch } }).with(newest.staticToken(token ?? '')).with(newest.rest())
      return ({ request }) => directus.request(newest.customEndpoint(copyOf(request)))
    },
  },
]

interface Outcome {
  readonly status: number
  readonly isResolved: boolean
  readonly code: string | undefined
  readonly message: string | undefined
}

async function outcomeOf(ask: (fetch: typeof globalThis.fetch) => Promise<unknown>): Promise<Outcome> {
  let status = 0
  const watched: typeof fetch = async (...args) => {
    const answer = await fetch(...args)
    status = answer.status
    return answer
  }
  try {
    await ask(watched)
    return { status, isResolved: true, code: undefined, message: undefined }
  } catch (error) {
    const first = firstError(error)
    return { status, isResolved: false, code: first?.extensions.code, message: first?.message }
  }
}

interface DirectusError {
  readonly message: string
  readonly extensions: { readonly code: string }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const isDirectusError = (value: unknown): value is DirectusError =>
  isObject(value) && 'message' in value && typeof value.message === 'string' && 'extensions' in value && isObject(value.extensions) && 'code' in value.extensions

function firstError(thrown: unknown): DirectusError | undefined {
  if (!isObject(thrown) || !('errors' in thrown) || !Array.isArray(thrown.errors)) return undefined
  const first: unknown = thrown.errors[0]
  return isDirectusError(first) ? first : undefined
}

interface Sweep {
  readonly url: string
  readonly token?: string
  readonly expected?: { readonly status: number; readonly code: string }
}

const atOnce = 10

const isRight = ({ status, isResolved, code, message }: Outcome, expected: Sweep['expected']): boolean =>
  (expected === undefined || (status === expected.status && code === expected.code)) && (status < 400 ? isResolved : !isResolved && code !== undefined && message !== '')

async function sweep(t: Test, { commands, ask }: Client, { url, token, expected }: Sweep): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let from = 0; from < commands.length; from += atOnce) {
    const part = commands.slice(from, from + atOnce)
    outcomes.push(...(await Promise.all(part.map((command) => outcomeOf((fetch) => ask(url, fetch, token ?? null)(command))))))
  }
  const wrong = outcomes.flatMap((outcome, index) => (isRight(outcome, expected) ? [] : [{ ...commands[index], ...outcome }]))
  t.strictSame(wrong, [])
  return outcomes
}

for (const client of clients) {
  await t.test(`${client.name}: of all commands none takes an error for success [attack:directus-error-taken-for-success]`, async (t) => {
    t.ok(client.commands.length > 200, `${client.commands.length} commands`)
    const answer = await fetch(`${node.url}/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(account) })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    const outcomes = await sweep(t, client, { url: node.url, token })
    t.ok(outcomes.some(({ isResolved }) => isResolved), 'readMe is served')
    t.ok(outcomes.filter(({ status, code }) => status === 404 && code === 'ROUTE_NOT_FOUND').length > 150)
    await sweep(t, client, { url: node.url })
  })

  await t.test(`${client.name}: what is not served yet is an unknown route, by its path`, async (t) => {
    for (const [name, path] of [
      ['passwordRequest', '/auth/password/request'],
      ['passwordReset', '/auth/password/reset'],
      ['readItems', '/items/a'],
      ['serverPing', '/server/ping'],
      ['readRoles', '/roles'],
    ] as const) {
      const command = client.commands.find((candidate) => candidate.name === name)
      if (command === undefined) throw new Error(`${name} is gone`)
      const outcome = await outcomeOf((fetch) => client.ask(node.url, fetch, null)(command))
      t.strictSame(outcome, { status: 404, isResolved: false, code: 'ROUTE_NOT_FOUND', message: `Route ${path} doesn't exist.` }, name)
    }
  })

  await t.test(`${client.name}: while the service starts, every command is refused as Directus would refuse it [attack:directus-error-taken-for-success]`, async (t) => {
    const listener = await bind('127.0.0.1', 0, boundedConnections(node.config), startingAnswer(node.config))
    t.teardown(() => listener.drain(0))
    await sweep(t, client, { url: `http://127.0.0.1:${listener.port}`, expected: { status: 503, code: 'SERVICE_UNAVAILABLE' } })
  })
}

await t.test('too many requests are refused as Directus would refuse them, on whatever path', async (t) => {
  const own = await startTestApp(t, { environment: { RATE_LIMIT: 'on', RATE_LIMIT_DEFAULT: '1/min' } })
  const [, client] = clients
  if (!client) throw new Error('no client')
  await fetch(`${own.url}/nope`).then((answer) => answer.text())
  const few = client.commands.filter(({ name }) => ['readItems', 'serverInfo', 'createUser', 'readFiles', 'updateSettings'].includes(name))
  t.equal(few.length, 5)
  await sweep(t, { ...client, commands: few }, { url: own.url, expected: { status: 429, code: 'REQUESTS_EXCEEDED' } })
})

await t.test('GraphQL too: a query that is not served is refused', async (t) => {
  for (const scope of ['items', 'system'] as const) {
    const outcome = await outcomeOf((fetch) => newest.createDirectus(node.url, { globals: { fetch } }).with(newest.graphql()).query('{ articles { id } }', {}, scope))
    t.match(outcome, { status: 404, isResolved: false, code: 'ROUTE_NOT_FOUND' }, scope)
  }
})

await t.test('with directus switched off its paths are like any other', async (t) => {
  const own = await startTestApp(t, { environment: { DIALECTS: 'bearer' } })
  const answer = await fetch(`${own.url}/items/x`)
  await answer.text()
  t.match([answer.status, answer.headers.get('content-type')], [404, /^application\/problem\+json/])
})

/** What the official client exports that asks for nothing by itself. */
const helpers = new Set([
  'auth',
  'authentication',
  'createDirectus',
  'customEndpoint',
  'formatFields',
  'generateUid',
  'getAuthEndpoint',
  'graphql',
  'isDirectusError',
  'memoryStorage',
  'messageCallback',
  'pong',
  'queryToParams',
  'realtime',
  'rest',
  'sleep',
  'staticToken',
  'throwIfCoreCollection',
  'throwIfEmpty',
  'withOptions',
  'withSearch',
  'withToken',
])

/** Arguments that one command or another takes; the first that make a request are its own. */
const argumentLists: readonly (readonly unknown[])[] = [
  ['a', 'b', { name: 'c' }],
  ['a', { name: 'c' }, {}],
  ['a', ['b'], {}],
  [['a'], { name: 'c' }, {}],
  [{ name: 'c' }, {}],
  [],
]

/** One request of a command of the official client. */
export interface Command {
  readonly name: string
  readonly request: Request
}

/** What a command makes, as far as a client is interested in it. */
interface Request {
  path: string
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'SEARCH'
  params?: Record<string, unknown>
  headers?: Record<string, string>
  body?: string
}

/** Every command of the official client, whatever its version has. @throws for one that no arguments here fit */
export function commandsOf(sdk: Readonly<Record<string, unknown>>): Command[] {
  return Object.entries(sdk).flatMap(([name, make]) => {
    if (typeof make !== 'function' || helpers.has(name)) return []
    for (const args of argumentLists) {
      const request = requestOf(make, args)
      if (request !== null) return [{ name, request }]
    }
    throw new Error(`${name} takes other arguments`)
  })
}

type Callable = Parameters<typeof Reflect.apply>[0]

function requestOf(make: Callable, args: readonly unknown[]): Request | null {
  try {
    const command: unknown = Reflect.apply(make, undefined, args)
    const request: unknown = typeof command === 'function' ? Reflect.apply(command, undefined, []) : null
    return isRequest(request) ? request : null
  } catch {
    // It checks its arguments: these are not for it.
    return null
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

const isRequest = (value: unknown): value is Request =>
  isObject(value) && 'path' in value && typeof value.path === 'string' && (!('params' in value) || value.params === undefined || (isObject(value.params) && !Array.isArray(value.params)))

import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { TestApp } from './app.js'
import { footprint } from './auth-client.js'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
export type Headers = Readonly<Record<string, string>>

/** An answer, however it was asked for. */
export interface Heard {
  readonly status: number
  readonly text: string
  readonly header: (name: string) => string
}

/** What a client sends, without a credential. */
export interface Prepared {
  readonly method: Method
  readonly path: string
  /** An object becomes JSON. */
  readonly body?: object
}

/** One that asks who calls. */
export interface ProtectedCall extends Prepared {
  /** Where besides `Authorization` an access token may stand. */
  readonly takesCookie: boolean
  readonly takesQuery: boolean
}

/** Without a socket: what is tried here is what the service makes of it, thousands of times. */
export async function ask({ app }: TestApp, { method, path, body }: Prepared, headers: Headers = {}): Promise<Heard> {
  const content = body === undefined ? {} : { 'content-type': 'application/json' }
  const payload = body === undefined ? {} : { payload: JSON.stringify(body) }
  const response = await app.inject({ method, url: path, headers: { ...content, ...headers }, ...payload })
  const header = (name: string): string => String(response.headers[name] ?? '')
  return { status: response.statusCode, text: response.body, header }
}

const shown = /\bat [^\n]*:\d+:\d+|node_modules|\bSELECT\b|\bINSERT INTO\b|\bFROM \w+ WHERE\b|pg_|postgres|violates|syntax error|\bstack\b/i

/** What is wrong with an answer to an attack, whatever the attack. @returns null when nothing is */
export function faultOf({ status, text, header }: Heard): string | null {
  if (status >= 500) return `a ${status}`
  if (shown.test(text)) return `a stack or SQL: ${text.slice(0, 200)}`
  if (header('cache-control') !== 'no-store') return `Cache-Control: ${header('cache-control')}`
  return null
}

/** How each path refuses an access token that is no good. The first that fits. */
const refusals: readonly [prefix: string, status: number, text: string, challenge: string][] = [
  ['/users/', 403, '{"errors":[{"message":"Invalid token.","extensions":{"code":"INVALID_TOKEN"}}]}', 'Bearer error="invalid_token"'],
  ['/api/v1/', 401, '{"error":"Authentication required"}', 'Bearer error="invalid_token"'],
  ['/auth/', 401, '{"message":"Unauthorized API access"}', ''],
  ['/oauth/', 401, '"error":"invalid_token"', 'Bearer error="invalid_token"'],
  ['/', 401, 'Invalid token.', 'Bearer error="invalid_token"'],
]

/** **X** of an access token. @returns null when it is that, else what came instead */
export function notInvalidToken({ path }: Prepared, heard: Heard): string | null {
  const [, status, text, challenge] = refusals.find(([prefix]) => path.startsWith(prefix)) ?? ['', 0, '', '']
  if (heard.status !== status || !heard.text.includes(text)) return `${heard.status} ${heard.text.slice(0, 200)}`
  if (challenge !== '' && heard.header('www-authenticate') !== challenge) return `WWW-Authenticate: ${heard.header('www-authenticate')}`
  return faultOf(heard)
}

interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly minimum?: number
  readonly minLength?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
}

interface Operation {
  readonly security?: readonly Readonly<Record<string, unknown>>[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Schema }>> }
}

interface OpenapiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> }
}

/** The same schema, with what each reference names in its place. */
function resolved(schema: Schema, named: Readonly<Record<string, Schema>>): Schema {
  if (schema.$ref !== undefined) return resolved(named[schema.$ref.replace('#/components/schemas/', '')] ?? {}, named)
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => [name, resolved(property, named)] as const)
  return { ...schema, properties: Object.fromEntries(properties), ...(schema.anyOf ? { anyOf: schema.anyOf.map((one) => resolved(one, named)) } : {}) }
}

/** The least that a schema takes. */
function sampleOf(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  if (schema.anyOf?.[0]) return sampleOf(schema.anyOf[0])
  if (schema.type === 'object') return Object.fromEntries((schema.required ?? []).map((name) => [name, sampleOf(schema.properties?.[name] ?? {})]))
  if (schema.type === 'array') return []
  if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 0
  if (schema.type === 'boolean') return true
  if (schema.format === 'date-time') return '2099-01-01T00:00:00Z'
  if (schema.format === 'uuid') return randomUUID()
  return 'x'.repeat(Math.max(8, schema.minLength ?? 0))
}

const methods: readonly Method[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

function methodOf(name: string): Method {
  const method = methods.find((one) => one === name.toUpperCase())
  if (method === undefined) throw new Error(`${name} is no method`)
  return method
}

const filled = (path: string): string => path.replace('{keyId}', `key_${randomUUID()}`).replace(/\{\w+\}/g, randomUUID())

/** Every call that asks who calls, as the service describes itself, each with a body that is good in form. */
export async function protectedCalls(node: TestApp): Promise<ProtectedCall[]> {
  const document = JSON.parse((await ask(node, { method: 'GET', path: '/openapi.json' })).text) as OpenapiDocument
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { security = [], requestBody }]): ProtectedCall[] => {
      if (security.length === 0) return []
      const schema = requestBody?.content['application/json']?.schema
      const body = schema === undefined ? undefined : sampleOf(resolved(schema, document.components?.schemas ?? {}))
      return [
        {
          method: methodOf(method),
          path: filled(path),
          ...(typeof body === 'object' && body !== null ? { body } : {}),
          takesCookie: !path.startsWith('/oauth/'),
          takesQuery: security.some((way) => 'query' in way),
        },
      ]
    }),
  )
  const others: ProtectedCall[] = [
    { method: 'POST', path: '/auth/logout', takesCookie: true, takesQuery: false },
    { method: 'POST', path: '/verify', takesCookie: true, takesQuery: true },
    { method: 'GET', path: '/verify/orders/7', takesCookie: true, takesQuery: true },
  ]
  return [...described, ...others]
}

/** A call with an access token in each of the places where one may stand. */
function carried(call: ProtectedCall, token: string): { call: Prepared; headers: Headers; where: string }[] {
  return [
    { call, headers: { authorization: `Bearer ${token}` }, where: 'header' },
    ...(call.takesCookie ? [{ call, headers: { cookie: `accessToken=${token}` }, where: 'cookie' }] : []),
    ...(call.takesQuery ? [{ call: { ...call, path: `${call.path}?access_token=${encodeURIComponent(token)}` }, headers: {}, where: 'query' }] : []),
  ]
}

/** Fails for each of them that is refused otherwise, or not at all; says which. */
export async function refusedEverywhere(t: Test, node: TestApp, calls: readonly ProtectedCall[], tokens: Readonly<Record<string, string>>): Promise<void> {
  const before = await footprint(node)
  let queries = 0
  let asked = 0
  const count = (): void => {
    queries += 1
  }
  node.core.pool.on('acquire', count)
  const wrong: string[] = []
  for (const [what, token] of Object.entries(tokens)) {
    for (const call of calls) {
      for (const { call: made, headers, where } of carried(call, token)) {
        asked += 1
        const fault = notInvalidToken(made, await ask(node, made, headers))
        if (fault !== null) wrong.push(`${what}, ${where}, ${call.method} ${call.path}: ${fault}`)
      }
    }
  }
  node.core.pool.off('acquire', count)
  t.same(wrong, [], `${Object.keys(tokens).length} tokens, ${asked} calls`)
  // What the service does in the background asks now and then.
  t.ok(queries * 10 <= asked + 20, `the database was asked ${queries} times in ${asked} calls`)
  t.equal(await footprint(node), before, 'nothing changed')
}

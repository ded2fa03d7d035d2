// The parts of the descriptions: names, examples, headers, and a document per dialect.
import buildAjvCompiler from '@fastify/ajv-compiler'
import t from 'tap'
import { demoAccounts } from '../../src/demo-accounts.js'
import { dialectNames } from '../../src/domain/model.js'
import { isJson } from '../../src/http/openapi/json.js'
import { createSchemaNames } from '../../src/http/openapi/name-schemas.js'
import { newApiKey, send } from '../support/account.js'
import { startTestApp, type TestApp } from '../support/app.js'

interface Media {
  schema: object
  example?: object
  examples?: Record<string, { value: object }>
}

interface Operation {
  tags: string[]
  security: object[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { headers: Record<string, object>; content?: Record<string, Media> }>
}

interface OpenapiDocument {
  info: { title: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; headers: Record<string, object> }
}

const read = async (node: TestApp, path: string) => (await send(node, { path })).body as OpenapiDocument

const node = await startTestApp(t)
const users = []
for (const account of demoAccounts) users.push(await node.createUser({ ...account, demo: true }))
const [firstUser] = users
if (firstUser === undefined) throw new Error('there are no demo accounts')
const whole = await read(node, '/openapi.json')
const documents: Record<string, OpenapiDocument> = { everything: whole }
for (const name of dialectNames) documents[name] = await read(node, `/openapi/${name}.json`)

const operationsOf = ({ paths }: OpenapiDocument) =>
  Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path, operation })))

/** Every object below, with the way to it. */
function* objectsIn(value: unknown, way = ''): Generator<[way: string, object: Readonly<Record<string, unknown>>]> {
  if (isJson(value)) yield [way, value]
  if (typeof value === 'object' && value !== null) for (const [name, member] of Object.entries(value)) yield* objectsIn(member, `${way}/${name}`)
}

const at = (document: OpenapiDocument, reference: string): unknown =>
  reference.replace('#/', '').split('/').reduce<unknown>((value, name) => (isJson(value) ? value[name] : undefined), document)

await t.test('every object that has members is a schema with a name, and every reference leads to one [attack:schema-without-a-name]', (t) => {
  for (const [title, document] of Object.entries(documents)) {
    const used = new Set<string>()
    for (const [way, object] of objectsIn(document)) {
      if (typeof object.$ref === 'string') {
        used.add(object.$ref)
        t.ok(at(document, object.$ref), `${title}: ${object.$ref}`)
      }
      if (object.type === 'object' && isJson(object.properties)) t.match(way, /^\/components\/schemas\/[A-Z]\w+$/, `${title}: ${way}`)
      const union = Array.isArray(object.anyOf) ? object.anyOf : []
      if (union.length > 0) t.match(way, /^\/components\/schemas\/[A-Z]\w+$/, `${title}: ${way} is a choice with a name`)
      for (const member of union) t.ok(isJson(member) && '$ref' in member, `${title}: ${way} is a choice of names`)
    }
    for (const name of Object.keys(document.components.schemas)) t.ok(used.has(`#/components/schemas/${name}`), `${title}: ${name} is used`)
  }
  t.end()
})

await t.test('two schemas cannot have one name', (t) => {
  const names = createSchemaNames()
  const user = { type: 'object', title: 'User', properties: { id: { type: 'string' } } }
  t.strictSame(names.named(user), { $ref: '#/components/schemas/User' })
  t.strictSame(names.named({ ...user, description: 'The owner.' }), { $ref: '#/components/schemas/User', description: 'The owner.' }, 'a description stays with its place')
  t.throws(() => names.named({ ...user, properties: {} }), { message: 'two schemas have the title User' })
  t.strictSame(names.named({ anyOf: [{ const: 'a', type: 'string' }, { const: 'b', type: 'string' }] }), { type: 'string', enum: ['a', 'b'] })
  t.strictSame(names.named({ anyOf: [{ type: 'string', maxLength: 3 }, { type: 'null' }], description: 'x' }), { type: ['string', 'null'], maxLength: 3, description: 'x' })
  t.end()
})

const examplesOf = ({ example, examples = {} }: Media): object[] => (example === undefined ? Object.values(examples).map(({ value }) => value) : [example])

await t.test('every body has an example, and each fits its schema [attack:example-that-does-not-fit]', (t) => {
  let bodies = 0
  for (const [title, document] of Object.entries(documents)) {
    const compile = buildAjvCompiler()({}, { customOptions: { strict: false, coerceTypes: false } })
    const schemaFor = ({ schema }: Media) => ({ ...schema, components: document.components })
    for (const { name, operation } of operationsOf(document)) {
      for (const media of Object.values(operation.requestBody?.content ?? {})) {
        const examples = examplesOf(media)
        t.ok(examples.length > 0, `${title}: ${name}`)
        const validate = compile({ schema: schemaFor(media), method: '', url: '', httpPart: 'body' })
        for (const example of examples) t.equal(validate(example), true, `${title}: ${name} ${JSON.stringify(example)}`)
        t.not(validate({ name: 1, email: 1, username: 1, current: 1, password: 1, grant_type: 1, token: 1, refreshToken: 1, refreshtoken: 1, refresh_token: 1, secret: 1, otp: 1, pin: 1, end_keys: 'x', scopes: 1, overlapSeconds: 'x' }), true, `${title}: ${name} has a schema`)
        bodies += 1
      }
    }
  }
  t.ok(bodies > 20)
  t.end()
})

await t.test('each dialect has a description of its own, with its paths, bodies and answers only [attack:description-of-a-shared-path]', (t) => {
  const own = { pin: /^\/auth\//, directus: /^\/(auth|users)\//, bearer: /^\/api\/v1\/auth\//, tokenset: /^\/v1\/auth/ }
  for (const name of dialectNames) {
    const document = documents[name]
    t.equal(document?.info.title, `tessera: ${name}`)
    t.strictSame(Object.keys(document?.paths ?? {}).filter((path) => !own[name].test(path)), [])
  }
  const bodyOf = (name: string): object | undefined => documents[name]?.paths['/auth/login']?.post?.requestBody?.content['application/json']?.schema
  t.strictSame(bodyOf('pin'), { $ref: '#/components/schemas/PinLogin' })
  t.strictSame(bodyOf('directus'), { $ref: '#/components/schemas/DirectusLogin' })
  t.match(documents.everything?.paths['/auth/login']?.post, { tags: { 0: 'auth', length: 1 }, requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/AuthLogin' } } } } })
  t.match(whole.components.schemas.AuthLogin, { anyOf: [{ $ref: /PinLogin$/ }, { $ref: /DirectusLogin$/ }] })
  t.notMatch(JSON.stringify(documents.pin), /Directus|"AuthError"/)
  t.notMatch(JSON.stringify(documents.directus), /"Pin[A-Z]|"AuthError"/)
  for (const { name, operation } of operationsOf(whole)) t.equal(operation.tags.length, 1, name)
  t.end()
})

await t.test('the example of each dialect’s own login logs in on the demo', async (t) => {
  const doors = { pin: '/auth/login', directus: '/auth/login', bearer: '/api/v1/auth/login', tokenset: '/v1/auth' }
  for (const name of dialectNames) {
    const [example] = examplesOf(documents[name]?.paths[doors[name]]?.post?.requestBody?.content['application/json'] ?? { schema: {} })
    t.equal((await send(node, { method: 'POST', path: doors[name], body: example })).status, 200, name)
  }
})

await t.test('a dialect that is off has no description, and the page offers none', async (t) => {
  const other = await startTestApp(t, { environment: { DIALECTS: 'pin', PUBLIC_URL: 'https://example.com/id' } })
  t.equal((await send(other, { path: '/openapi/bearer.json' })).status, 404)
  t.equal((await send(other, { path: '/openapi/pin.json' })).status, 200)
  const script = await (await fetch(`${other.url}/docs/static/swagger-initializer.js`)).text()
  t.match(script, '"/id/openapi/pin.json"')
  t.match(await (await fetch(`${node.url}/docs/static/swagger-initializer.js`)).text(), '"/openapi/pin.json"', 'and of the root')
  t.notMatch(script, 'bearer.json')
})

await t.test('the headers of refusals are described where they are sent', async (t) => {
  for (const { name, method, path, operation } of operationsOf(whole)) {
    for (const [status, { headers }] of Object.entries(operation.responses)) {
      t.ok(headers['X-Request-Id'], `${name} ${status}`)
      t.equal('Retry-After' in headers, status === '429' || status === '503', `${name} ${status}`)
      if (status === '429') t.ok(headers['RateLimit-Reset'], name)
    }
    const described = operation.responses['401']
    const [media] = Object.values(operation.requestBody?.content ?? {})
    const answer = await fetch(node.url + path.replaceAll(/\{\w+\}/g, 'x'), { method, headers: { authorization: 'Bearer x', 'content-type': 'application/json' }, ...(media === undefined ? {} : { body: JSON.stringify(examplesOf(media)[0]) }) })
    await answer.text()
    if (answer.status === 401) t.equal(described !== undefined && 'WWW-Authenticate' in described.headers, answer.headers.has('www-authenticate'), name)
  }
})

await t.test('the cookies of a login are described where they are set', async (t) => {
  for (const [name, example] of [['pin', { name: 'cooluser1', pin: '0000' }], ['directus', { email: 'admin@example.com', password: 'Z1Tu5', mode: 'cookie' }]] as const) {
    const { headers } = await send(node, { method: 'POST', path: '/auth/login', body: example })
    t.ok(headers.has('set-cookie'), name)
    for (const document of [whole, documents[name]]) t.ok(document?.paths['/auth/login']?.post?.responses['200']?.headers['Set-Cookie'], name)
  }
  t.notOk('Set-Cookie' in (whole.paths['/v1/auth']?.post?.responses['200']?.headers ?? {}))
})

await t.test('the answer of /verify is described as it is sent: headers, and no body [attack:body-that-is-not-there]', async (t) => {
  const { content, headers = {} } = whole.paths['/verify']?.get?.responses['200'] ?? {}
  t.equal(content, undefined)
  const login = await send(node, { method: 'POST', path: '/api/v1/auth/login', body: { username: 'jane.doe', password: 'correct horse battery staple' } })
  const { token } = login.body as { token: string }
  for (const credential of [token, await newApiKey(node, firstUser.id)]) {
    const answer = await fetch(`${node.url}/verify`, { headers: { authorization: `Bearer ${credential}` } })
    t.equal(await answer.text(), '')
    const sent = [...answer.headers.keys()].filter((name) => name.startsWith('x-auth-'))
    const described = Object.keys(headers).map((name) => name.toLowerCase()).filter((name) => name.startsWith('x-auth-') && name !== 'x-auth-token')
    t.strictSame(sent.sort(), described.sort())
  }
})

await t.test('who has a description already is told so without a body, as described', async (t) => {
  for (const path of ['/openapi.json', '/openapi/pin.json']) {
    const first = await fetch(node.url + path)
    await first.text()
    const again = await fetch(node.url + path, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } })
    t.strictSame([again.status, await again.text()], [304, ''])
    t.equal(whole.paths[path]?.get?.responses['304']?.content, undefined)
  }
})

import { Validator } from '@seriousme/openapi-schema-validator'
import t from 'tap'
import { demoAccounts } from '../../src/demo-accounts.js'
import { version } from '../../src/version.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { send } from '../support/account.js'

interface Operation {
  operationId?: string
  summary?: string
  tags?: string[]
  security?: Record<string, string[]>[]
  parameters?: { name: string; in: string }[]
  requestBody?: { required: boolean; content: Record<string, { schema: object; example?: object; examples?: Record<string, { value: object }> }> }
  responses: Record<string, { description: string; content?: Record<string, unknown> }>
}

interface OpenapiDocument {
  openapi: string
  info: { title: string; version: string }
  servers?: { url: string }[]
  tags: { name: string; description: string }[]
  components: { securitySchemes: Record<string, object>; schemas: Record<string, object> }
  paths: Record<string, Record<string, Operation>>
}

const documentOf = async (node: TestApp) => (await send(node, { path: '/openapi.json' })).body as OpenapiDocument

const node = await startTestApp(t)
const document = await documentOf(node)
const operations = Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path, operation })))

/** Every route of the app, as `GET /users/me`, from the tree that the router prints. */
function routesOf({ app }: TestApp): string[] {
  const above: string[] = []
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part = '', methods = ''] = /^([│ ]*)[├└]── (\S+) \(([A-Z, -]+)\)$/.exec(line) ?? []
      if (part === '') return []
      above.splice(indent.length / 4, Infinity, part)
      return methods.split(', ').map((method) => `${method} ${above.join('').replace(/:(\w+)/g, '{$1}')}`)
    })
}

await t.test('it is valid OpenAPI 3.1, of this version', async (t) => {
  const { text, headers } = await send(node, { path: '/openapi.json' })
  t.equal(document.openapi, '3.1.0')
  t.strictSame([document.info.title, document.info.version], ['tessera', version()])
  const { valid, errors } = await new Validator().validate(JSON.parse(text) as Record<string, unknown>)
  t.ok(valid, JSON.stringify(errors ?? '').slice(0, 1000))
  t.equal(headers.get('content-type'), 'application/json; charset=utf-8')
})

await t.test('every route is described, but for the pages that show it', (t) => {
  const described = new Set(operations.map(({ name }) => name))
  const routes = routesOf(node)
  t.ok(routes.includes('POST /api/v1/auth/keys/{keyId}/roll') && routes.includes('GET /users/me/sessions'), 'the tree is read')
  const isInternal = (route: string): boolean => /^(HEAD|OPTIONS) |^GET \/docs|^\S+ \/verify/.test(route)
  t.strictSame(routes.filter((route) => !isInternal(route) && !described.has(route)), [])
  t.strictSame([...described].filter((name) => !routes.includes(name)), [], 'and nothing else')
  t.ok(described.has('GET /verify'), 'once, for all methods')
  t.end()
})

await t.test('every operation has an id of its own, a summary, and tags that are explained', (t) => {
  const ids = operations.map(({ operation }) => operation.operationId)
  t.equal(new Set(ids).size, ids.length)
  for (const { name, operation } of operations) {
    t.match(operation, { operationId: /^[a-z][A-Za-z0-9]+$/, summary: /\S/ }, name)
    t.ok(operation.tags && operation.tags.length > 0, name)
    for (const tag of operation.tags ?? []) t.ok(document.tags.some((explained) => explained.name === tag && explained.description !== ''), `${name}: ${tag}`)
    for (const alternative of operation.security ?? []) {
      for (const scheme of Object.keys(alternative)) t.ok(document.components.securitySchemes[scheme], `${name}: ${scheme}`)
    }
  }
  t.end()
})

await t.test('every answer is described, the errors too', (t) => {
  for (const { name, path, operation } of operations) {
    const expected = ['400', '500', ...(path.startsWith('/health/') ? [] : ['429', '503']), ...(operation.requestBody ? ['413', '415'] : [])]
    for (const status of [...expected, ...(operation.security?.length && !path.startsWith('/v1/') ? ['401', '403'] : [])]) t.ok(operation.responses[status], `${name} ${status}`)
    t.ok(Object.keys(operation.responses).some((status) => status.startsWith('2')), name)
    for (const [status, { description, content }] of Object.entries(operation.responses)) {
      t.ok(description !== '' && description !== 'Default Response', `${name} ${status}: ${description}`)
      t.equal(content === undefined, ['204', '304'].includes(status) || `${name} ${status}` === 'GET /verify 200', `${name} ${status}`)
    }
  }
  t.match(document.paths['/revocations']?.get?.responses['401']?.content, { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemDetails' } } })
  t.match(document.paths['/users/me']?.get?.responses['401']?.content, { 'application/json': {} })
  t.end()
})

await t.test('who asks without a credential is refused exactly where one is asked for', async (t) => {
  for (const { name, method, path, operation } of operations) {
    if (operation.requestBody || path.startsWith('/auth/')) continue
    const { status } = await send(node, { method, path: path.replaceAll(/\{\w+\}/g, 'x') })
    t.equal(status === 401, operation.security?.length !== 0, `${name} ${status}`)
  }
})

await t.test('what a foreign page has a browser send with its cookie is refused, and that is described', async (t) => {
  for (const { name, method, path, operation } of operations.filter(({ method }) => method !== 'GET')) {
    const response = await fetch(`${node.url}${path.replaceAll(/\{\w+\}/g, 'x')}`, { method, headers: { cookie: 'accessToken=x', origin: 'https://evil.example' } })
    await response.text()
    t.equal(response.status, 403, name)
    t.ok(operation.responses['403'], name)
  }
})

await t.test('a body is required exactly where something in it is', async (t) => {
  for (const { name, method, path, operation } of operations) {
    if (!operation.requestBody || path.startsWith('/auth/')) continue
    const { status } = await send(node, { method, path: path.replaceAll(/\{\w+\}/g, 'x') })
    t.equal(status === 400 && !name.includes('refreshtoken'), operation.requestBody.required, `${name} ${status}`)
  }
  t.match(document.paths['/oauth/token']?.post?.requestBody?.content, { 'application/x-www-form-urlencoded': {}, 'application/json': {} })
})

await t.test('the schemas are those that validate', (t) => {
  t.strictSame(document.paths['/users/me/password']?.post?.requestBody?.content['application/json']?.schema, { $ref: '#/components/schemas/ChangePassword' })
  t.match(document.components.schemas.ChangePassword, {
    type: 'object',
    required: ['current', 'new'],
    properties: { current: { type: 'string', maxLength: 128 }, new: { type: 'string', minLength: 8, maxLength: 128 } },
  })
  t.end()
})

await t.test('every example of a login logs in on the demo, in all four APIs', async (t) => {
  const own = await startTestApp(t)
  for (const account of demoAccounts) await own.createUser({ ...account, demo: true })
  const seen: [string, number][] = []
  for (const path of ['/auth/login', '/api/v1/auth/login', '/v1/auth']) {
    const { example, examples = {} } = document.paths[path]?.post?.requestBody?.content['application/json'] ?? {}
    for (const value of example ? [example] : Object.values(examples).map(({ value }) => value)) {
      const answer = await fetch(own.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
      await answer.text()
      seen.push([path, answer.status])
    }
  }
  t.strictSame(seen, [['/auth/login', 200], ['/auth/login', 200], ['/api/v1/auth/login', 200], ['/v1/auth', 200]], 'pin and directus share a path')
})

await t.test('dialects that are off are not described', async (t) => {
  const own = await startTestApp(t, { environment: { DIALECTS: 'tokenset' } })
  const { paths, tags } = await documentOf(own)
  t.ok(paths['/v1/auth'])
  t.strictSame(Object.keys(paths).filter((path) => path.startsWith('/auth/') || path.startsWith('/api/')), [])
  t.notOk(tags.some(({ name }) => name === 'pin'))
})

await t.test('behind a path, the document and its page say so', async (t) => {
  t.strictSame(document.servers, [{ url: '/' }])
  const own = await startTestApp(t, { environment: { PUBLIC_URL: 'https://example.com/v1' } })
  const behind = await documentOf(own)
  t.strictSame(behind.servers, [{ url: '/v1' }])
  t.ok(behind.paths['/v1/auth'], 'paths are those of the service')
  t.match(await (await fetch(`${own.url}/docs`)).text(), 'src="/v1/docs/static/swagger-ui-bundle.js"')
  const ids = Object.values(behind.paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId))
  t.equal(new Set(ids).size, ids.length)
})

await t.test('the page runs its own scripts and no others, and asks nobody else', async (t) => {
  const policy = /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';$/
  for (const path of ['/docs', '/docs/']) {
    const page = await fetch(`${node.url}${path}`)
    const html = await page.text()
    t.equal(page.status, 200)
    t.match(page.headers.get('content-security-policy'), policy)
    t.match(page.headers.get('content-type'), /^text\/html/)
    t.notMatch(html, /<script(?![^>]* src=)|<style|\son\w+=|style=|https?:\/\//i, 'nothing inline, nothing from elsewhere')
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, reference = '']) => new URL(reference, page.url))
    t.equal(parts.length, 7)
    for (const part of parts) {
      const answer = await fetch(part)
      t.equal(answer.status, 200, part.pathname)
      t.match(answer.headers.get('content-security-policy'), policy)
      await answer.body?.cancel()
    }
  }
  t.strictSame((await send(node, { path: '/docs/json' })).body, document)
})

await t.test('its files are its own: what is not there, or lies elsewhere, is not found', async (t) => {
  for (const file of ['nope', '', '..%2f..%2fpackage.json', '%2e%2e/%2e%2e/package.json', '%00', './/etc/passwd', '..%5c..%5cpackage.json']) {
    const answer = await send(node, { path: `/docs/static/${file}` })
    t.match([answer.status, answer.headers.get('content-type')], [404, /^application\/problem\+json/], file)
  }
  t.equal((await send(node, { method: 'POST', path: '/docs' })).status, 405)
})

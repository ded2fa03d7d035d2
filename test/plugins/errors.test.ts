import { Type } from '@sinclair/typebox'
import t from 'tap'
import type { ErrorShape } from '../../plugins/error-shape.js'
import { problemDetails } from '../../plugins/problem-details.js'
import { toAuthError } from '../../plugins/to-auth-error.js'
import { AuthError, authErrorCodes, unavailable } from '../../src/domain/errors.js'
import { buildHttpApp } from '../support/http.js'

/** Says its own name, so that a test sees who answered. */
const shape = (name: string): ErrorShape => ({
  name,
  render: (error, path) => ({ status: problemDetails.render(error, path).status, body: { by: name, code: error.code, reason: error.reason, path } }),
})

const Body = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 10 }),
  mode: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('cookie')])),
  nullable: Type.Optional(Type.Union([Type.Literal('a'), Type.Literal('b'), Type.Null()])),
  role: Type.Optional(Type.Enum({ user: 'user', admin: 'admin' })),
  otp: Type.Optional(Type.Union([Type.String({ maxLength: 6 }), Type.Null()])),
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: 5 })),
  expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
  code: Type.Optional(Type.String({ minLength: 4, pattern: '^[0-9]+$' })),
  scopes: Type.Optional(Type.Array(Type.String(), { maxItems: 2, uniqueItems: true })),
  inner: Type.Optional(Type.Object({ flag: Type.Boolean() }, { additionalProperties: false })),
})

const { app, logLines, logText } = await buildHttpApp(t, {
  environment: { RATE_LIMIT: 'off' },
  shapes: [
    { prefix: '/v1/', shape: shape('v1') },
    { prefix: '/v1/deep/', shape: shape('deep') },
    { prefix: '/auth/', shape: shape('both') },
  ],
  routes(app) {
    app.post('/v1/body', { schema: { body: Body } }, (request) => request.body)
    app.get('/v1/query', { schema: { querystring: Type.Object({ limit: Type.Integer({ maximum: 9 }), flag: Type.Optional(Type.Boolean()) }) } }, (request) => request.query)
    app.get('/v1/cached', (_request, reply) => reply.header('cache-control', 'public, max-age=30').send({}))
    app.get('/v1/cached-then-failed', (_request, reply) => {
      void reply.header('cache-control', 'public, max-age=30')
      throw new AuthError('forbidden')
    })
    app.get('/v1/chosen', (request) => {
      request.errorShape = shape('chosen')
      throw new AuthError('forbidden')
    })
    app.get('/v1/deep/x', () => {
      throw new AuthError('not_found')
    })
    app.get('/throws/:what', (request) => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- a library may throw anything
      throw thrown[(request.params as { what: string }).what] ?? new Error('unknown')
    })
    app.get('/rejects', () => Promise.reject(new Error('S3CRET in a message', { cause: Object.assign(new Error('invalid input: "S3CRET2"'), { code: '22P02', detail: 'S3CRET2' }) })))
  },
})
const thrown: Record<string, unknown> = {
  ...Object.fromEntries(authErrorCodes.map((code) => [code, new AuthError(code, { allow: ['GET'] })])),
  busy: unavailable(new Error('the pool is full'), 7.2),
  limited: new AuthError('too_many_requests', { retryAfterSeconds: 30 }),
  text: 'a thrown text',
  null: null,
}

await t.test('a body that breaks its schema: 400 that names the member and says what it must be', async (t) => {
  const cases: [payload: unknown, reason: string][] = [
    [{}, 'name is required'],
    [{ name: 1 }, 'name must be a string'],
    [{ name: null }, 'name must be a string'],
    [{ name: ['x'] }, 'name must be a string'],
    [{ name: { $ne: null } }, 'name must be a string'],
    [{ name: '' }, 'name must not be empty'],
    [{ name: '12345678901' }, 'name must be at most 10 characters'],
    [{ name: 'n', mode: 'x' }, 'mode must be one of json, cookie'],
    [{ name: 'n', mode: 1 }, 'mode must be one of json, cookie'],
    [{ name: 'n', nullable: 1 }, 'nullable must be one of a, b or null'],
    [{ name: 'n', role: 'x' }, 'role must be one of user, admin'],
    [{ name: 'n', otp: 1 }, 'otp must be a string or null'],
    [{ name: 'n', otp: '1234567' }, 'otp must be at most 6 characters'],
    [{ name: 'n', count: '1' }, 'count must be a whole number'],
    [{ name: 'n', count: 1.5 }, 'count must be a whole number'],
    [{ name: 'n', count: 0 }, 'count must be at least 1'],
    [{ name: 'n', count: 6 }, 'count must be at most 5'],
    [{ name: 'n', expiresAt: 'tomorrow' }, 'expiresAt must be a time such as 2030-01-31T12:00:00Z'],
    [{ name: 'n', code: '1' }, 'code must be at least 4 characters'],
    [{ name: 'n', code: 'abcd' }, 'code must be in another form'],
    [{ name: 'n', scopes: ['a', 1] }, 'scopes.1 must be a string'],
    [{ name: 'n', scopes: ['a', 'b', 'c'] }, 'scopes must have at most 2 items'],
    [{ name: 'n', scopes: ['a', 'a'] }, 'scopes must not repeat an item'],
    [{ name: 'n', inner: {} }, 'inner.flag is required'],
    [{ name: 'n', inner: { flag: 'yes' } }, 'inner.flag must be true or false'],
    [{ name: 'n', inner: { flag: true, S3CRET: 1 } }, 'inner has a member that is not known'],
    [[], 'The body must be an object'],
    [null, 'The body must be an object'],
    [undefined, 'The body must be an object'],
  ]
  for (const [payload, reason] of cases) {
    const answer = await app.inject({ method: 'POST', url: '/v1/body', headers: { 'content-type': 'application/json' }, payload: payload === undefined ? '' : JSON.stringify(payload) })
    t.strictSame([answer.statusCode, answer.json()], [400, { by: 'v1', code: 'malformed', reason, path: '/v1/body' }], JSON.stringify(payload))
  }
})

await t.test('a right body is taken as it is: unknown members stay, nothing is coerced', async (t) => {
  const payload = { name: '😀'.repeat(10), extra: { a: 1 } }
  const answer = await app.inject({ method: 'POST', url: '/v1/body', payload })
  t.strictSame([answer.statusCode, answer.json()], [200, payload])
})

await t.test('a query alone is text that is read as its schema wants', async (t) => {
  t.strictSame((await app.inject('/v1/query?limit=7&flag=true')).json(), { limit: 7, flag: true })
  for (const query of ['limit=10', 'limit=x', 'limit=1&limit=2', '']) t.equal((await app.inject(`/v1/query?${query}`)).statusCode, 400, query)
})

await t.test('who answers: the shape that the request has chosen, else the longest prefix of its path, else problem details', async (t) => {
  const by = async (url: string) => (await app.inject(url)).json<{ by?: string; type?: string }>()
  t.match(await by('/v1/chosen'), { by: 'chosen' })
  t.match(await by('/v1/nope?x=1'), { by: 'v1', path: '/v1/nope' })
  t.match(await by('/v1/deep/x'), { by: 'deep' })
  t.match(await by('/v1'), { by: 'v1', path: '/v1' })
  t.match(await by('/auth/login'), { by: 'both' })
  t.match(await by('/%61uth/nope'), { by: 'both' })
  t.match(await by('/authx'), { type: 'about:blank' })
  t.match(await by('/v1x/auth'), { type: 'about:blank' })
})

await t.test('problem details: type, title, status, detail', async (t) => {
  const answer = await app.inject('/nope')
  t.match(answer.headers['content-type'], /^application\/problem\+json/)
  t.strictSame(answer.json(), { type: 'about:blank', title: 'Not Found', status: 404, detail: 'There is nothing here.' })
})

await t.test('every error carries no-store, and what its status asks for', async (t) => {
  for (const code of authErrorCodes) {
    const { headers, statusCode } = await app.inject(`/throws/${code}`)
    t.equal(headers['cache-control'], 'no-store', code)
    t.equal(headers['retry-after'], statusCode === 429 || statusCode === 503 ? '1' : undefined, code)
    t.equal(headers.allow, statusCode === 405 ? 'GET' : undefined, code)
  }
  t.equal((await app.inject('/throws/busy')).headers['retry-after'], '8')
  t.equal((await app.inject('/throws/limited')).headers['retry-after'], '30')
  t.equal((await app.inject('/throws/authentication_required')).headers['www-authenticate'], 'Bearer')
  t.equal((await app.inject('/throws/access_token_expired')).headers['www-authenticate'], 'Bearer error="invalid_token"')
})

await t.test('a success is kept by nobody unless its route says so, an error never', async (t) => {
  t.equal((await app.inject('/v1/query?limit=1')).headers['cache-control'], 'no-store')
  t.equal((await app.inject('/v1/cached')).headers['cache-control'], 'public, max-age=30')
  t.equal((await app.inject('/v1/cached-then-failed')).headers['cache-control'], 'no-store')
})

await t.test('what nobody foresaw: 500 that tells nothing, and a log line with the stack', async (t) => {
  for (const what of ['rejects', 'throws/text', 'throws/null']) {
    const answer = await app.inject({ url: `/${what}`, headers: { 'x-request-id': what.replace('/', '-') } })
    t.strictSame([answer.statusCode, answer.json()], [500, { type: 'about:blank', title: 'Internal Server Error', status: 500, detail: 'Internal server error.' }], what)
  }
  const line = logLines().find(({ level, requestId }) => level === 'error' && requestId === 'rejects')
  t.match(line, { err: { type: 'Error', message: 'S3CRET in a message', stack: /errors\.test/, cause: { code: '22P02', message: 'data exception' } } })
  t.notMatch(logText(), /S3CRET2/, 'values of a statement stay out of the log')
})

await t.test('levels: unavailable warns with its cause, refusals are for debugging', async (t) => {
  await app.inject({ url: '/throws/busy', headers: { 'x-request-id': 'level-busy' } })
  await app.inject({ url: '/throws/invalid_credentials', headers: { 'x-request-id': 'level-refused' } })
  const levels = (id: string) => logLines().flatMap(({ requestId, level, msg }) => (requestId === id && msg !== 'answered' ? [level] : []))
  t.strictSame(levels('level-busy'), ['warn'])
  t.strictSame(levels('level-refused'), ['debug'])
  t.match(logLines().find(({ requestId, level }) => requestId === 'level-busy' && level === 'warn'), { err: { message: 'the pool is full' } })
})

await t.test('errors of the framework become ours', (t) => {
  const codes: [string, string][] = [
    ['FST_ERR_CTP_BODY_TOO_LARGE', 'content_too_large'],
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'unsupported_media_type'],
    ['FST_ERR_BAD_URL', 'malformed'],
    ['FST_ERR_NOT_FOUND', 'not_found'],
    ['FST_ERR_SOMETHING_NEW', 'internal'],
  ]
  for (const [code, ours] of codes) t.equal(toAuthError(Object.assign(new Error('x'), { code })).code, ours)
  t.equal(toAuthError(Object.assign(new Error('x'), { statusCode: 429 })).code, 'too_many_requests')
  t.equal(toAuthError(Object.assign(new Error('x'), { statusCode: 400 })).code, 'internal', 'a status that somebody put on an error is no promise')
  t.equal(toAuthError(undefined).code, 'internal')
  t.end()
})

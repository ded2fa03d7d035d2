import t from 'tap'
import { createApiKey } from '../../../src/domain/api-keys.js'
import { createClient } from '../../../src/domain/clients.js'
import { startTestApp } from '../../support/app.js'
import { call, type Answer } from '../../support/auth-client.js'
import { untilAnswer, verify } from '../../support/fleet.js'
import { clientOf, postForm, tokenOf } from '../../support/oauth.js'
import { recordStatements } from '../../support/statements.js'
import { createTestDatabase } from '../../support/database.js'
import { createTcpProxy } from '../../support/tcp-proxy.js'

/** What is asked of the database. docs/scaling.md reckons with these figures. */

const database = await createTestDatabase(t)
const proxy = await createTcpProxy(t, database.connectionString)
const node = await startTestApp(t, { database, environment: { DATABASE_LISTEN_URL: proxy.connectionString } })
const statements = recordStatements(node.core.pool)
const owner = await node.createUser({ username: 'jane', password: 'correct horse' })
const { secret: apiKey } = await createApiKey(node.core.service, owner.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
const { client, secret } = await createClient(node.core.service, { name: 'orders', scopes: ['introspect'], accessSeconds: null, jwks: null }, { kind: 'service', id: 'test' }, 3600)
const basic = clientOf(client.id, secret ?? '')

const text = (value: unknown, name: string): string => (typeof value === 'object' && value !== null ? String(Object.entries(value).find(([key]) => key === name)?.[1]) : '')
const post = (path: string, body: unknown, headers: Record<string, string> = {}) => call(node, path, { body, headers })
const logIn = () => post('/api/v1/auth/login', { username: 'jane', password: 'correct horse' })
const refresh = (refreshToken: string) => post('/api/v1/auth/refresh', { refreshToken })

/** Of what the service does in the background, some may fall into a round: the quietest of a few counts. */
async function quietest(rounds: number, work: () => Promise<unknown>): Promise<string[]> {
  let least: string[] | null = null
  for (let round = 0; round < rounds; round += 1) {
    statements.take()
    await work()
    const sent = statements.take()
    if (least === null || sent.length < least.length) least = sent
  }
  return least ?? []
}

const calls = 50

await t.test('verifying an access token, or an API key seen before, asks the database nothing', async (t) => {
  const { json } = await logIn()
  const bearer = { authorization: `Bearer ${text(json, 'token')}` }
  const credentials: Record<string, Record<string, string>> = {
    'an access token': bearer,
    'an access token in a cookie': { cookie: `accessToken=${text(json, 'token')}` },
    'the token of a client': { authorization: `Bearer ${(await tokenOf(node, basic)).accessToken}` },
    'an API key': { 'x-api-key': apiKey },
    'an API key as Bearer': { authorization: `Bearer ${apiKey}` },
  }
  statements.take()
  t.equal((await call(node, '/verify', { method: 'GET', headers: { 'x-api-key': apiKey } })).status, 200)
  t.not(statements.take().length, 0, 'a key that was never seen is asked for')
  for (const [what, headers] of Object.entries(credentials)) {
    const sent = await quietest(3, async () => {
      for (let i = 0; i < calls; i += 1) t.equal((await call(node, '/verify', { method: 'GET', headers })).status, 200)
    })
    t.strictSame(sent, [], what)
  }
})

/** As docs/scaling.md has them; BEGIN and COMMIT count. */
const documented: Record<string, { readonly statements: number; readonly prepare?: () => Promise<Answer>; readonly work: (prepared: unknown) => Promise<Answer> }> = {
  'a login': { statements: 8, work: logIn },
  'a refresh': { statements: 1, prepare: logIn, work: (session) => refresh(text(session, 'refreshToken')) },
  'a logout': { statements: 5, prepare: logIn, work: (session) => post('/api/v1/auth/logout', undefined, { authorization: `Bearer ${text(session, 'token')}` }) },
  'a token by client_credentials': { statements: 1, work: () => tokenOf(node, basic) },
  'an introspection, by a client': { statements: 1, work: () => postForm(node, '/oauth/introspect', { ...basic, form: { token: apiKey } }) },
}

await t.test('an operation costs what the documentation says', async (t) => {
  for (const [what, { statements: expected, prepare = logIn, work }] of Object.entries(documented)) {
    let least = Infinity
    for (let round = 0; round < 3; round += 1) {
      const { json } = await prepare()
      statements.take()
      t.equal((await work(json)).status, 200)
      least = Math.min(least, statements.take().length)
    }
    t.equal(least, expected, what)
  }
})

await t.test('only while the news of revocations is too old is each token asked about', async (t) => {
  const token = text((await logIn()).json, 'token')
  proxy.silence()
  proxy.silenceNewOnes(true)
  await untilAnswer(() => Promise.resolve(node.app.revocationFeed.isFresh()), false)
  const sent = await quietest(3, async () => {
    for (let i = 0; i < 5; i += 1) t.equal((await verify(node.url, token)).status, 200)
  })
  t.equal(sent.filter((one) => one.includes('FROM revocations')).length, 5)
})

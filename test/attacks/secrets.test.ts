import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { startTestApp } from '../support/app.js'
import type { Headers } from '../support/attacks.js'
import { call, enableTotp } from '../support/auth-client.js'
import { noteSecret } from '../support/canaries.js'
import { clients, enter, everyDialect, type Tokens } from '../support/dialect-clients.js'
import { RawClient } from '../support/http.js'
import { knock, loginDoors } from '../support/login-doors.js'

/**
 * Secrets that nothing else looks like, used rightly, wrongly and where they do not belong, with everything well and with
 * PostgreSQL failing under them. None of them may stand in a line that the node logs; the end of the run looks into
 * PostgreSQL's log as well (scripts/canaries.mjs).
 */
const node = await startTestApp(t)
const canaries = new Map<string, string>()

function canary(kind: string, secret: string): string {
  canaries.set(kind, secret)
  noteSecret(`canary: ${kind}`, secret)
  return secret
}

const digits = (count: number): string => Array.from(randomBytes(count), (byte) => byte % 10).join('')
const letters = (): string => randomBytes(12).toString('base64url')

const password = canary('password', `pass "${letters()}" \\ é`)
const pin = canary('PIN', digits(12))
const wrong = { password: canary('wrong password', `wrong-${letters()}`), pin: canary('wrong PIN', digits(11)) }
const person = { id: '', username: 'canary', email: 'canary@example.com', password, pin }
const { id } = await node.createUser({ username: person.username, email: person.email, password, pin })

function areSilent(t: Test) {
  const log = node.logLines.join('')
  for (const [kind, secret] of canaries) {
    const part = secret.startsWith('eyJ') ? (secret.split('.')[2] ?? '') : secret
    for (const form of [part, JSON.stringify(part).slice(1, -1), encodeURIComponent(part)]) t.notOk(log.includes(form), kind)
  }
}

const keep = (dialect: string, tokens: Tokens): Tokens => {
  canary(`${dialect} access token`, tokens.accessToken)
  canary(`${dialect} refresh token`, tokens.refreshToken)
  return tokens
}

await t.test('no secret is logged when it is used rightly and wrongly', async (t) => {
  for (const dialect of everyDialect) {
    const { identifier, secret, path } = loginDoors[dialect]
    const good = { [identifier]: identifier === 'email' ? person.email : person.username, [secret]: person[secret] }
    const tokens = keep(dialect, await enter(node, dialect, person))
    keep(`${dialect}, renewed`, clients[dialect].tokensOf(await clients[dialect].refresh(node, tokens.refreshToken)))
    await knock(node, dialect, { ...good, [secret]: wrong[secret] })
    await knock(node, dialect, { ...good, [identifier]: wrong[secret], otp: wrong.pin })
    // What no schema takes, and what is no JSON.
    await knock(node, dialect, { ...good, [secret]: [person[secret]] })
    await knock(node, dialect, { ...good, [secret]: person[secret].padEnd(200, 'x') })
    await knock(node, dialect, { ...good, [person[secret]]: 1, constructor: person[secret] })
    await knock(node, dialect, `${JSON.stringify(good)}}`)
    await knock(node, dialect, JSON.stringify(good).replace('{', '{"x":1,"x":1,'))
    await knock(node, dialect, good, { origin: 'https://evil.example' })
    await call(node, path, { body: new URLSearchParams(good).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    await call(node, `${path}?${new URLSearchParams(good).toString()}`, { method: 'GET' })
    for (const elsewhere of everyDialect) await clients[elsewhere].refresh(node, tokens.refreshToken)
    await clients[dialect].refresh(node, tokens.accessToken)
    await clients[dialect].refresh(node, tokens.refreshToken)
  }
  areSilent(t)
})

await t.test('nor where it does not belong', async (t) => {
  const { accessToken, refreshToken } = keep('misplaced', await enter(node, 'bearer', person))
  const { secret: apiKey } = await createApiKey(node.core.service, id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  canary('API key', apiKey)
  for (const secret of [accessToken, refreshToken, apiKey, password, pin]) {
    const escaped = encodeURIComponent(secret)
    for (const path of [`/nope?access_token=${escaped}`, `/%zz?access_token=${escaped}`, `/users/me?access_token=${escaped}&access_token=${escaped}`, `/verify?token_for=${escaped}`, `/revocations?cursor=${escaped}`, `/nope;jsessionid=${escaped}`, `/nope%3Faccess_token=${escaped}`]) await call(node, path, { method: 'GET' })
    const misplaced: Headers[] = [
      { authorization: `Basic ${Buffer.from(`x:${secret}`).toString('base64')}` },
      { authorization: `Bearer ${escaped} ${escaped}` },
      { 'x-api-key': escaped },
      { 'x-request-id': `${escaped}!` },
      { cookie: `accessToken=${escaped}; refreshToken=${escaped}` },
    ]
    for (const headers of misplaced) {
      for (const path of ['/users/me', '/api/v1/auth/logout', '/oauth/introspect', '/auth/refresh']) await call(node, path, { method: path === '/users/me' ? 'GET' : 'POST', headers })
    }
    await call(node, '/oauth/introspect', { body: { token: secret, client_id: secret.slice(0, 90), client_secret: secret.slice(0, 200) } })
    const client = new RawClient(Number(new URL(node.url).port)).say(`POST /auth/login HTTP/1.1\r\nHost: localhost\r\nX-Odd : ${escaped}\r\n\r\n${escaped}`)
    await client.hearsAnswer()
    client.socket.destroy()
  }
  areSilent(t)
})

await t.test('nor while the account is changed, keys are made and codes are asked for', async (t) => {
  const { accessToken } = keep('account', await enter(node, 'directus', person))
  const headers = { authorization: `Bearer ${accessToken}` }
  const next = canary('new password', `next ${letters()}`)
  await call(node, '/users/me/password', { headers, body: { current: wrong.password, new: next } })
  await call(node, '/users/me/password', { headers, body: { current: password, new: 'short' } })
  t.equal((await call(node, '/users/me/password', { headers, body: { current: password, new: next } })).status, 204)
  t.equal((await call(node, '/users/me/pin', { headers, body: { password: next, pin: canary('new PIN', digits(12)) } })).status, 204)
  const generated = await call(node, '/users/me/tfa/generate', { headers, body: { password: next } })
  canary('TOTP secret', (generated.json as { data: { secret: string } }).data.secret)
  const created = await call(node, '/api/v1/auth/keys', { headers, body: { name: 'canary' } })
  canary('made API key', (created.json as { apiKey: string }).apiKey)
  const code = await enableTotp(node, id)
  await call(node, '/auth/login', { body: { email: person.email, password: next, otp: code() } })
  await call(node, '/auth/login', { body: { email: person.email, password: next, otp: canary('recovery code', `${letters()}-${letters()}`) } })
  areSilent(t)
})

await t.test('nor when PostgreSQL fails under it', async (t) => {
  const client = await node.database.client()
  const tokens = keep('unlucky', await enter(node, 'bearer', { ...person, ...(await fresh()) }))
  await client.query('ALTER TABLE users RENAME TO away; ALTER TABLE sessions RENAME TO away_too; ALTER TABLE api_keys RENAME TO away_three')
  for (const dialect of everyDialect) {
    const { identifier, secret } = loginDoors[dialect]
    const answer = await knock(node, dialect, { [identifier]: person.username, [secret]: person[secret] })
    t.match(answer.status, /^50[03]$/)
    t.notMatch(answer.text, /relation|users|SELECT/)
    t.match((await clients[dialect].refresh(node, canaries.get(`${dialect}, renewed refresh token`) ?? '')).status, /^50[03]$/)
  }
  t.match((await call(node, '/users/me', { method: 'GET', headers: { 'x-api-key': canaries.get('API key') ?? '' } })).status, /^50[03]$/)
  t.match((await call(node, '/api/v1/auth/logout', { headers: { authorization: `Bearer ${tokens.accessToken}` } })).status, /^50[03]$/)
  t.ok(node.logLines.some((line) => line.includes('unexpected failure')), 'the log says what failed')
  await client.query('ALTER TABLE away RENAME TO users; ALTER TABLE away_too RENAME TO sessions; ALTER TABLE away_three RENAME TO api_keys')
  areSilent(t)
})

/** Somebody whose password nobody has changed. */
async function fresh(): Promise<{ username: string; password: string }> {
  const made = { username: 'unlucky', password: canary('another password', `other ${letters()}`) }
  await node.createUser(made)
  return made
}

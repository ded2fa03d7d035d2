import t from 'tap'
import { startTestApp } from '../support/app.js'
import { faultOf } from '../support/attacks.js'
import { call, footprint, type Answer } from '../support/auth-client.js'
import { hostileTexts } from '../support/bad-input.js'
import { enter, newPerson } from '../support/dialect-clients.js'
import { base64url } from '../support/forge.js'
import { unknownId } from '../support/repository.js'

const node = await startTestApp(t)
const operator = await enter(node, 'bearer', await newPerson(node, { role: 'admin' }))
const endpoints = ['/oauth/token', '/oauth/introspect', '/oauth/revoke']

const form = (members: Readonly<Record<string, string>>) => ({ body: new URLSearchParams(members).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } })

function faults(what: string, answer: Answer, statuses: readonly number[]): string[] {
  const fault = faultOf({ ...answer, header: (name) => answer.headers.get(name) ?? '' })
  return fault === null && statuses.includes(answer.status) ? [] : [`${what}: ${answer.status} ${fault ?? ''} ${answer.text.slice(0, 200)}`]
}

await t.test('case 39: an assertion whose claims are of a wrong type is no client’s, and nobody looks one up by it', async (t) => {
  const wrong: string[] = []
  const issuers: unknown[] = [[unknownId], [[unknownId]], { id: unknownId }, 5, true, null, '', 'x\u0000', unknownId, `${unknownId}\u0000`]
  for (const iss of issuers) {
    const assertion = ['{"alg":"ES256"}', JSON.stringify({ iss, sub: iss }), 'x'].map(base64url).join('.')
    const members = { grant_type: 'client_credentials', token: 'x', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: assertion }
    for (const path of endpoints) wrong.push(...faults(`${path} ${JSON.stringify(iss)}`, await call(node, path, form(members)), [401]))
  }
  t.same(wrong, [])
})

await t.test('case 38: SQL and what else is hostile in every member of the OAuth endpoints is refused in their words', async (t) => {
  const before = await footprint(node)
  const wrong: string[] = []
  const members = ['token', 'token_type_hint', 'refresh_token', 'scope', 'client_id', 'client_secret', 'client_assertion', 'client_assertion_type', 'grant_type']
  for (const member of members) {
    for (const text of [...hostileTexts, '\0', 'x'.repeat(15_000)]) {
      const sent = { grant_type: member === 'refresh_token' ? 'refresh_token' : 'client_credentials', token: 'x', [member]: text }
      for (const path of endpoints) {
        for (const request of [form(sent), { body: sent }]) wrong.push(...faults(`${path} ${member} ${JSON.stringify(text).slice(0, 40)}`, await call(node, path, request), [400, 401, 413]))
      }
    }
  }
  for (const basic of ['', '!!', base64url('x'), Buffer.from('\0:\0').toString('base64'), Buffer.from('%00:%00').toString('base64'), Buffer.from('%zz:x').toString('base64'), Buffer.from(`${unknownId}:x`).toString('base64')]) {
    for (const path of endpoints) {
      const { body, headers } = form({ grant_type: 'client_credentials', token: 'x' })
      wrong.push(...faults(`${path} Basic ${basic}`, await call(node, path, { body, headers: { ...headers, authorization: `Basic ${basic}` } }), [400, 401]))
    }
  }
  t.same(wrong, [])
  t.equal(await footprint(node), before)
})

interface OpenapiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: { readonly type?: string } }[] }>>>>
}

await t.test('case 39: whatever stands in a query or a path, no number is beyond its bounds and nothing is a 5xx', async (t) => {
  const headers = { authorization: `Bearer ${operator.accessToken}` }
  const document = JSON.parse((await call(node, '/openapi.json', { method: 'GET' })).text) as OpenapiDocument
  const wrong: string[] = []
  const values = ['%00', '%25', '%5C', '__proto__', '[]', '-1', '0', '1.5', '1e400', '-1e400', 'Infinity', 'NaN', '9'.repeat(30), '', 'x'.repeat(2000), '%F0%9F%94%91', "'%20OR%201=1--", '2026-13-45T00:00:00Z', '9999-12-31T23:59:60Z', '+275760-09-13T00:00:00.000Z', unknownId, `${unknownId}%00`]
  const statuses = [200, 400, 401, 403, 404]
  let tried = 0
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const { in: where, name, schema } of operations.get?.parameters ?? []) {
      for (const value of values) {
        const url = where === 'query' ? `${path.replace(/\{\w+\}/g, unknownId)}?${name}=${value}` : path.replace(`{${name}}`, value).replace(/\{\w+\}/g, unknownId)
        const answer = await call(node, url, { method: 'GET', headers })
        wrong.push(...faults(url.slice(0, 80), answer, statuses))
        const isBeyond = schema.type === 'integer' && !/^\d{1,5}$/.test(value) && answer.status === 200
        if (isBeyond) wrong.push(`${url.slice(0, 80)} is a number`)
        tried += 1
      }
    }
  }
  t.ok(tried > 100, `${tried} calls`)
  t.same(wrong, [])
})

import fc from 'fast-check'
import t from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { AuthError, type AuthErrorCode } from '../../src/domain/errors.js'
import { startCursor } from '../../src/domain/revocation-log.js'
import { startTestApp } from '../support/app.js'
import { base64url, genuine, goodHeader } from '../support/forge.js'
import { enter, everyDialect, newPerson } from '../support/dialect-clients.js'
import { testOrigin } from '../support/log-in.js'
import { runs, within } from '../support/properties.js'

/** What reads tokens, keys, cookies and cursors is given anything at all: it refuses by its own word, and accepts nothing. */
const node = await startTestApp(t)
const person = await newPerson(node)
const { accessToken, refreshToken } = await enter(node, 'bearer', person)
const { secret: apiKey } = await createApiKey(node.core.service, person.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })

const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => Buffer.from(array).toString('latin1'))
const unicode = fc.string({ unit: 'binary', maxLength: 200 })
const tokenLetters = fc.string({ unit: fc.constantFrom(...Array.from('abcXYZ019-_.=+/% ,;"\\')), maxLength: 300 })
const json = fc.json({ maxDepth: 3 })

/** Three parts, each something, the last sometimes our own signature. */
const jwtLike = fc
  .tuple(fc.oneof(json, bytes, fc.constant(JSON.stringify(goodHeader(node)))), fc.oneof(json, bytes), fc.boolean(), bytes)
  .map(([header, payload, isSigned, signature]) => {
    const input = `${base64url(header)}.${base64url(payload)}`
    return `${input}.${base64url(isSigned ? genuine(node)(input) : signature)}`
  })

/** A good one with a piece of it replaced. */
const damaged = (good: string) =>
  fc
    .tuple(fc.nat(good.length), fc.nat(20), fc.oneof(tokenLetters, bytes))
    .map(([at, length, piece]) => good.slice(0, at) + piece + good.slice(at + length))
    .filter((text) => text !== good)

const anything = fc.oneof(bytes, unicode, tokenLetters, jwtLike, damaged(accessToken), damaged(refreshToken), damaged(apiKey))

async function refusal(call: () => Promise<unknown>): Promise<AuthErrorCode | 'accepted'> {
  try {
    await call()
    return 'accepted'
  } catch (error) {
    if (error instanceof AuthError) return error.code
    throw error
  }
}

/** The last letter of a signature has bits that no byte needs: such a copy is the same token (case 11). */
const isCopy = (text: string): boolean => {
  const [head, payload, signature = ''] = text.split('.')
  const [goodHead, goodPayload, goodSignature = ''] = accessToken.split('.')
  return head === goodHead && payload === goodPayload && Buffer.from(signature, 'base64url').equals(Buffer.from(goodSignature, 'base64url'))
}

await t.test('no text but a genuine one is an access token', async (t) => {
  await fc.assert(
    fc.asyncProperty(anything, within(3, async (token) => {
      const code = await refusal(() => node.app.identity.authenticate({ kind: 'access_token', token, via: 'header' }))
      return code === 'access_token_invalid' || isCopy(token)
    })),
    runs(1500),
  )
  t.pass()
})

await t.test('no text but a genuine one is an API key', async (t) => {
  await fc.assert(fc.asyncProperty(anything, within(2, async (key) => (await refusal(() => node.app.identity.authenticate({ kind: 'api_key', key }))) === 'api_key_invalid')), runs(1500))
  t.pass()
})

await t.test('no text but a genuine one is a refresh token, in any dialect', async (t) => {
  await fc.assert(
    fc.asyncProperty(anything, fc.constantFrom(...everyDialect), within(3, async (token, dialect) => {
      const code = await refusal(() => node.app.identity.refresh({ dialect: node.app.dialectPolicies[dialect], token, origin: testOrigin }))
      return code === 'refresh_invalid'
    })),
    runs(1500),
  )
  t.pass()
})

await t.test('any text is a cursor that is known, or begins anew', (t) => {
  fc.assert(
    fc.property(fc.oneof(unicode, bytes, fc.tuple(fc.nat(), fc.nat()).map(([seq, stamp]) => `${seq}-${stamp}`)), (cursor) => {
      const page = node.app.revocationLog.read(cursor)
      return page.resync === (cursor !== startCursor) && page.revocations.length === 0
    }),
    runs(1000),
  )
  t.end()
})

const headerText = fc.oneof(tokenLetters, damaged(accessToken), damaged(refreshToken), damaged(apiKey), jwtLike).map((text) => text.replace(/[^\x20-\x7e]/g, '~'))
/** What may stand in a cookie of ours, however it is wrapped. */
const cookieHeader = fc
  .array(fc.tuple(fc.constantFrom('accessToken', 'refreshToken', 'directus_refresh_token', 'x', ''), fc.constantFrom('=', '="', ' = ', ''), headerText), { maxLength: 4 })
  .map((cookies) => cookies.map((parts) => parts.join('')).join('; '))

const places: readonly (readonly [method: 'GET' | 'POST', path: string])[] = [
  ['GET', '/users/me'],
  ['GET', '/verify'],
  ['GET', '/api/v1/auth/keys'],
  ['POST', '/auth/logout'],
  ['POST', '/auth/refresh'],
  ['POST', '/api/v1/auth/logout'],
  ['GET', '/revocations'],
]

await t.test('whatever stands in headers, cookies and queries is refused by 400, 401 or 403, everywhere', async (t) => {
  const requests = fc.record({
    where: fc.constantFrom(...places),
    authorization: fc.option(fc.tuple(fc.constantFrom('Bearer ', 'bearer', 'Basic ', ''), headerText).map((parts) => parts.join(''))),
    key: fc.option(headerText),
    cookie: fc.option(cookieHeader),
    query: fc.option(fc.oneof(headerText.map((text) => `access_token=${encodeURIComponent(text)}`), tokenLetters.map((text) => text.replace(/[#? ]/g, '&')))),
  })
  await fc.assert(
    fc.asyncProperty(requests, within(4, async ({ where: [method, path], authorization, key, cookie, query }) => {
      const { statusCode, body } = await node.app.inject({
        method,
        url: path + (query === null ? '' : `?${query}`),
        headers: { ...(authorization === null ? {} : { authorization }), ...(key === null ? {} : { 'x-api-key': key }), ...(cookie === null ? {} : { cookie }) },
      })
      const isGood = [authorization, cookie, query].some((text) => text !== null && [...text.matchAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g)].some(([token]) => isCopy(token)))
      // Whatever its token is, a logout of directus succeeds.
      const due = path === '/auth/logout' ? [204, 400, 401, 403] : [400, 401, 403]
      return isGood || (due.includes(statusCode) && !/node_modules|SELECT /.test(body))
    })),
    runs(1000),
  )
  t.pass()
})

import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, footprint } from '../../support/auth-client.js'
import { badBodies, hostileTexts, sendBad } from '../../support/bad-input.js'
import { logIn } from '../../support/log-in.js'

const path = '/v1/auth/refreshtoken'
const password = 'correct horse battery staple'

const node = await startTestApp(t)
await node.createUser({ username: 'jane.doe', password })
const { refreshToken } = await logIn(node, 'jane.doe', password, 'tokenset')

const statusMessages = { 400: 'Bad Request', 413: 'Payload Too Large', 415: 'Unsupported Media Type' } as const

await t.test('a body that is no refresh is refused, and the token in it is not used', async (t) => {
  const before = await footprint(node)
  for (const name of ['refreshtoken', 'refreshToken']) {
    for (const bad of badBodies({ [name]: refreshToken }, [])) {
      const answer = await sendBad(node, path, bad)
      t.same([answer.status, answer.text], [bad.status, JSON.stringify({ statusCode: bad.status, statusMessage: statusMessages[bad.status], error: bad.reason })], bad.what)
    }
  }
  t.equal(await footprint(node), before)
})

await t.test('one good spelling beside a mistyped one is refused', async (t) => {
  const before = await footprint(node)
  const answer = await call(node, path, { body: { refreshtoken: refreshToken, refreshToken: null } })
  t.same(answer.json, { statusCode: 400, statusMessage: 'Bad Request', error: 'refreshToken must be a string' })
  t.equal(await footprint(node), before)
})

await t.test('the token counts in the body only', async (t) => {
  const answer = await call(node, `${path}?refreshtoken=${refreshToken}`, { headers: { cookie: `refreshToken=${refreshToken}`, authorization: `Bearer ${refreshToken}` } })
  t.same(answer.json, { statusCode: 400, statusMessage: 'Missing refresh token' })
})

await t.test('hostile texts are ordinary invalid tokens', async (t) => {
  const before = await footprint(node)
  for (const text of [...hostileTexts.filter((one) => one !== ''), `${refreshToken} `, refreshToken.slice(0, -1), `${refreshToken}=`, 'x'.repeat(15_000)]) {
    const answer = await call(node, path, { body: { refreshtoken: text } })
    t.same(answer.json, { statusCode: 400, statusMessage: 'Failed to refresh token', error: 'Invalid Refresh Token' }, JSON.stringify(text.slice(0, 30)))
  }
  t.equal(await footprint(node), before, 'a forged token is no kill switch')
})

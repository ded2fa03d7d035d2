import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { call, footprint } from '../../support/auth-client.js'
import { badBodies, hostileTexts, sendBad } from '../../support/bad-input.js'

const path = '/v1/auth'
const password = 'correct horse battery staple'
const good = { username: 'jane.doe', password, otp: '123456' }

const node = await startTestApp(t)
await node.createUser({ username: 'jane.doe', email: 'jane.doe@example.com', password })

const statusMessages = { 400: 'Login failed', 413: 'Payload Too Large', 415: 'Unsupported Media Type' } as const

await t.test('case 39: case 41: case 42: a body that is no login is refused before anybody looks for the user', async (t) => {
  const before = await footprint(node)
  for (const bad of badBodies(good, ['username', 'password'])) {
    const answer = await sendBad(node, path, bad)
    t.same([answer.status, answer.text], [bad.status, JSON.stringify({ statusCode: bad.status, statusMessage: statusMessages[bad.status], error: bad.reason })], bad.what)
  }
  t.equal(await footprint(node), before, 'no session, no attempt')
})

await t.test('case 35: lengths are limited from above, in code points', async (t) => {
  const before = await footprint(node)
  for (const [member, length] of [['username', 254], ['password', 128], ['otp', 128]] as const) {
    const answer = await call(node, path, { body: { ...good, [member]: '🔑'.repeat(length + 1) } })
    t.same(answer.json, { statusCode: 400, statusMessage: 'Login failed', error: `${member} must be at most ${length} characters` })
  }
  t.equal(await footprint(node), before)
})

await t.test('case 38: hostile texts are ordinary wrong names and passwords', async (t) => {
  const failed = '{"statusCode":400,"statusMessage":"Login failed","error":"Incorrect username or password."}'
  for (const text of hostileTexts) {
    for (const body of [{ username: text, password }, { username: `${text}@example.com`, password }, { username: `nobody${text}`, password: text }]) {
      const answer = await call(node, path, { body })
      t.same([answer.status, answer.text], [400, failed], JSON.stringify(body))
    }
  }
  for (const username of ['JANE.DOE@EXAMPLE.COM', 'jane.doe＠example.com', 'ｊane.doe﹫example.com']) {
    t.equal((await call(node, path, { body: { username, password } })).status, 200, `and everything is still there: ${username}`)
  }
})

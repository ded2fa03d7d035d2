import t from 'tap'
import { startTestApp } from '../../support/app.js'
import { calls, failure, invalidPayload, send, somebody } from '../../support/account.js'

const node = await startTestApp(t)
const withBody = calls.filter(({ body }) => body !== undefined)
const { id, token } = await somebody(node)

/** Every refusal comes before the account is looked at: no attempt is counted, nothing is noted. */
async function traces(): Promise<unknown> {
  const client = await node.database.client()
  const { rows } = await client.query(
    'select (select sum(failures) from attempts where subject = $1) as failures, (select count(*) from audit_events where user_id::text = $1) as events, (select epoch from users where id::text = $1) as epoch',
    [id],
  )
  return rows
}

const before = await traces()

await t.test('a member that is missing is named', async (t) => {
  for (const call of withBody) {
    const names = Object.keys(call.body as object)
    for (const name of names) {
      const body = Object.fromEntries(Object.entries(call.body as object).filter(([other]) => other !== name))
      const answer = await send(node, { ...call, body, token })
      t.strictSame([answer.status, answer.body], [400, invalidPayload(`${name} is required`)], `${call.path} without ${name}`)
    }
  }
})

await t.test('a member of the wrong type is never coerced', async (t) => {
  for (const call of withBody) {
    for (const name of Object.keys(call.body as object)) {
      for (const wrong of [null, 12345678, true, ['a'], { $ne: null }]) {
        const answer = await send(node, { ...call, body: { ...(call.body as object), [name]: wrong }, token })
        t.strictSame([answer.status, answer.body], [400, invalidPayload(`${name} must be a string`)], `${call.path} ${name} ${JSON.stringify(wrong)}`)
      }
    }
  }
})

await t.test('128 code points are taken, 129 are not', async (t) => {
  for (const [path, body, name] of [
    ['/users/me/password', { current: '', new: 'another one of length' }, 'current'],
    ['/users/me/pin', { password: '', pin: '1234' }, 'password'],
    ['/users/me/tfa/generate', { password: '' }, 'password'],
    ['/users/me/tfa/enable', { secret: 'A', otp: '' }, 'otp'],
    ['/users/me/tfa/enable', { secret: '', otp: '1' }, 'secret'],
    ['/users/me/tfa/disable', { otp: '' }, 'otp'],
  ] as const) {
    const answer = await send(node, { method: 'POST', path, body: { ...body, [name]: '🔑'.repeat(129) }, token })
    t.strictSame([answer.status, answer.body], [400, invalidPayload(`${name} must be at most 128 characters`)], `${path} ${name}`)
  }
})

await t.test('no body lacks the first member', async (t) => {
  for (const call of withBody) {
    const [name] = Object.keys(call.body as object)
    for (const type of ['', 'application/json', 'text/plain']) {
      const { method = '', path } = call
      const answer = await send(node, { method, path, token, headers: type === '' ? {} : { 'content-type': type } })
      t.strictSame([answer.status, answer.body], [400, invalidPayload(`${name ?? ''} is required`)], call.path)
    }
  }
})

await t.test('what is no object, no JSON, or ambiguous JSON', async (t) => {
  const texts: [string, string][] = [
    ['null', 'null'],
    ['[]', 'a list'],
    ['"text"', 'a string'],
    ['{"password":"x"', 'cut short'],
    ['{"password":"x","password":"y","current":"x","current":"x","otp":"1","otp":"1"}', 'duplicate members'],
    ['{"password":"x","__proto__":{"pin":"1234"}}', '__proto__'],
    ['{"password":"x","\\u005f_proto__":{}}', '__proto__ in escapes'],
    ['{"password":"x","constructor":{"prototype":{}}}', 'constructor'],
    ['{"password":"a\\u0000b","current":"a\\u0000b","otp":"a\\u0000b"}', 'NUL'],
    ['{"password":"\\ud800","current":"\\ud800","otp":"\\ud800"}', 'a lone surrogate'],
    [`{"more":${'['.repeat(40)}${']'.repeat(40)}}`, 'too deep'],
  ]
  for (const call of withBody) {
    for (const [body, what] of texts) {
      const answer = await send(node, { ...call, body, token })
      t.equal(answer.status, 400, `${call.path} ${what}`)
      t.match(answer.body, { errors: [{ message: /^Invalid payload\. /, extensions: { code: 'INVALID_PAYLOAD' } }] })
      t.notOk(answer.text.includes('a\\u0000b'))
    }
  }
})

await t.test('other media types are 415, and more than 16 KB is 413', async (t) => {
  for (const call of withBody) {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1']) {
      const answer = await send(node, { ...call, token, headers: { 'content-type': type } })
      t.strictSame([answer.status, answer.body], [415, failure('UNSUPPORTED_MEDIA_TYPE', 'Unsupported media type.')], `${call.path} ${type}`)
    }
    const compressed = await send(node, { ...call, token, headers: { 'content-encoding': 'gzip' } })
    t.equal(compressed.status, 415)
    const large = await send(node, { ...call, token, body: { ...(call.body as object), more: 'x'.repeat(17_000) } })
    t.strictSame([large.status, large.body], [413, failure('CONTENT_TOO_LARGE', 'Request body too large.')], call.path)
  }
})

await t.test('none of it left a trace', async (t) => {
  t.strictSame(await traces(), before)
})

await t.test('hostile text in a good form is a wrong secret, and members that nobody asked for are without effect', async (t) => {
  const more = { role: 'admin', id: '01890000-0000-7000-8000-000000000000', status: 'active', username: 'root' }
  for (const hostile of ["' OR 1=1 --", '"; drop table users; --', '\u202e\u0007', '../../etc/passwd', '%00', '${7*7}']) {
    const somebodyElse = await somebody(node)
    const answer = await send(node, { method: 'POST', path: '/users/me/password', token: somebodyElse.token, body: { ...more, current: hostile, new: 'another one of length' } })
    t.equal(answer.status, 401, hostile)
    const generated = await send(node, { method: 'POST', path: '/users/me/tfa/generate', token: somebodyElse.token, body: { ...more, password: hostile } })
    t.equal(generated.status, 401, hostile)
    t.match((await send(node, { path: '/users/me', token: somebodyElse.token })).body, { data: { role: 'user', username: somebodyElse.username } })
  }
})

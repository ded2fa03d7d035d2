import t from 'tap'
import { logIn, send, somebody, type Answer, type Call } from '../../support/account.js'
import { newAdmin, nobody, problem } from '../../support/admin.js'
import { startTestApp } from '../../support/app.js'

const node = await startTestApp(t)
const admin = await newAdmin(node)
const ask = (call: Call): Promise<Answer> => send(node, { token: admin.token, ...call })

interface Listed<Row> {
  data: Row[]
  next_cursor: string | null
}
interface SessionRow {
  id: string
  user_id: string
}
interface EventRow {
  id: number
  type: string
  user_id: string | null
}

await t.test('the sessions that are alive, of everybody or of one user, page by page', async (t) => {
  const person = await somebody(node, { userAgent: 'a browser', ip: '192.0.2.7' })
  for (let i = 0; i < 4; i += 1) await logIn(node, person.username, { dialect: 'bearer' })
  const ofUser = (await ask({ path: `/admin/sessions?user=${person.id}` })).body as Listed<SessionRow>
  t.equal(ofUser.data.length, 5)
  t.ok(ofUser.data.every(({ user_id }) => user_id === person.id))
  t.match(ofUser.data.at(-1), { id: /./, dialect: 'directus', amr: ['pwd'], created_at: /Z$/, expires_at: /Z$/, idle_expires_at: /Z$/, ip: '192.0.2.7', user_agent: 'a browser' })
  t.match(ofUser.data[0], { dialect: 'bearer', idle_expires_at: null })

  const paged: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = (await ask({ path: `/admin/sessions?user=${person.id}&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}` })).body as Listed<SessionRow>
    paged.push(...page.data.map(({ id }) => id))
    cursor = page.next_cursor
  }
  t.strictSame(paged, ofUser.data.map(({ id }) => id))
  const all = (await ask({ path: '/admin/sessions' })).body as Listed<SessionRow>
  t.equal(all.data.length, 6, 'and that of the operator')
  t.strictSame((await ask({ path: `/admin/sessions?user=${nobody}` })).body, { data: [], next_cursor: null })
  for (const query of ['limit=0', 'limit=999']) t.match(await ask({ path: `/admin/sessions?${query}` }), problem(400, /./), query)
  for (const name of ['user', 'cursor']) t.match(await ask({ path: `/admin/sessions?${name}=x` }), problem(400, new RegExp(`^${name} must be an id as answers have it, such as `)))
})

await t.test('one session is ended, and its token is dead', async (t) => {
  const person = await somebody(node)
  const [other] = [await logIn(node, person.username)]
  const { id } = person.grant.state.session
  t.match(await ask({ method: 'DELETE', path: `/admin/sessions/${id}` }), { status: 204, text: '' })
  t.equal((await send(node, { path: '/users/me', token: person.token })).status, 403)
  t.equal((await send(node, { path: '/users/me', token: other.accessToken })).status, 200)
  t.match(await ask({ path: '/admin/audit?limit=1' }), { body: { data: [{ type: 'session_ended', actor: { kind: 'operator', id: `user:${admin.id}` }, user_id: person.id, session_id: id, ip: '127.0.0.1', detail: { because: 'ended_by_operator' } }] } })
  for (const unknown of [id, id.toUpperCase(), nobody, 'x', '%00', '%F0%9F%92%A9']) t.match(await ask({ method: 'DELETE', path: `/admin/sessions/${unknown}` }), problem(404, 'there is no such session, or it has ended'))
})

await t.test('the trail by user, by type, since a time, page by page', async (t) => {
  const person = await somebody(node)
  await logIn(node, person.username, { password: 'wrong wrong', ip: '192.0.2.9', userAgent: 'a guesser' }).catch(() => undefined)
  await logIn(node, person.username)
  const trail = async (query: string) => (await ask({ path: `/admin/audit?${query}` })).body as Listed<EventRow>
  t.strictSame((await trail(`user=${person.id}`)).data.map(({ type }) => type), ['login_succeeded', 'login_failed', 'login_succeeded', 'user_created'])
  const [failed] = (await trail(`user=${person.id}&type=login_failed`)).data
  t.match(failed, { type: 'login_failed', actor: { kind: 'user', id: person.id }, user_id: person.id, ip: '192.0.2.9', user_agent: 'a guesser', detail: { reason: 'wrong_secret' } })
  t.strictSame((await trail('since=2999-01-01T00:00:00Z')).data, [])
  t.equal((await trail(`user=${person.id}&since=1999-01-01T00:00:00Z`)).data.length, 4)

  const whole = (await trail('limit=200')).data.map(({ id }) => id)
  const paged: number[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await trail(`limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`)
    paged.push(...page.data.map(({ id }) => id))
    cursor = page.next_cursor
  }
  t.strictSame(paged, whole)
  for (const query of ['type=login_faild', 'type=%27', 'user=x', 'since=yesterday', 'since=2016-12-31T23:59:60Z', 'cursor=0', 'cursor=-1', 'cursor=x', 'cursor=9999999999999999999', 'limit=0']) {
    t.match(await ask({ path: `/admin/audit?${query}` }), problem(400, /./), query)
  }
})

import t, { type Test } from 'tap'
import type { DialectName } from '../../src/domain/model.js'
import { deleteUser, endSessionOf, findUser, revokeEverything, revokeUser, setPassword, setPinOf, setRole, setStatus } from '../../src/domain/operators.js'
import { startTestApp } from '../support/app.js'
import { call, claimsOf, enableTotp } from '../support/auth-client.js'
import { clients, enter, everyDialect, isLive, newPerson, renew, sessionIdOf, type Person, type Tokens } from '../support/dialect-clients.js'

const operator = { kind: 'operator', id: 'test' } as const
const node = await startTestApp(t)
const { service } = node.core

type Entered = Readonly<Record<DialectName, Tokens>>

async function enterEverywhere(person: Person): Promise<Entered> {
  const [pin, directus, bearer, tokenset] = [await enter(node, 'pin', person), await enter(node, 'directus', person), await enter(node, 'bearer', person), await enter(node, 'tokenset', person)]
  return { pin, directus, bearer, tokenset }
}

async function isOver(t: Test, dialect: DialectName, tokens: Tokens, why: string) {
  t.notOk(await isLive(node, tokens), `${dialect}, ${why}: the access token`)
  const answer = await clients[dialect].refresh(node, tokens.refreshToken)
  t.same([answer.status, answer.text], clients[dialect].invalidRefresh, `${dialect}, ${why}: the refresh token`)
}

async function isAlive(t: Test, dialect: DialectName, tokens: Tokens, why: string): Promise<Tokens> {
  t.ok(await isLive(node, tokens), `${dialect}, ${why}`)
  return renew(node, dialect, tokens.refreshToken)
}

const me = (headers: Record<string, string>) => call(node, '/users/me', { method: 'GET', headers })

await t.test('one user comes in by all four dialects and is the same', async (t) => {
  const person = await newPerson(node)
  const entered = await enterEverywhere(person)
  for (const dialect of everyDialect) {
    const { accessToken } = entered[dialect]
    t.match(claimsOf(accessToken), { sub: person.id, username: person.username, email: person.email })
    t.match((await me({ authorization: `Bearer ${accessToken}` })).json, { data: { id: person.id, username: person.username, email: person.email } })
    const { headers } = await call(node, '/verify', { method: 'GET', headers: { authorization: `Bearer ${accessToken}` } })
    t.same([headers.get('x-auth-user'), headers.get('x-auth-username'), headers.get('x-auth-email')], [person.id, person.username, person.email])
  }
  t.equal(new Set(Object.values(entered).map(sessionIdOf)).size, 4, 'each login is a session of its own')
})

await t.test('an access token of any dialect is good on the protected calls of all', async (t) => {
  const entered = await enterEverywhere(await newPerson(node))
  for (const dialect of everyDialect) {
    const { accessToken } = entered[dialect]
    const header = { authorization: `Bearer ${accessToken}` }
    t.equal((await call(node, '/api/v1/auth/keys', { method: 'GET', headers: header })).status, 200)
    t.equal((await me({ cookie: `accessToken=${accessToken}` })).status, 200, 'as a cookie too')
    t.equal((await call(node, '/api/v1/auth/logout', { headers: header })).status, 200, 'a logout ends the session, whichever dialect opened it')
    await isOver(t, dialect, entered[dialect], 'logged out by bearer')
  }
})

await t.test('a logout ends the session that it is about, for all, and no other', async (t) => {
  for (const dialect of everyDialect) {
    const person = await newPerson(node)
    const entered = await enterEverywhere(person)
    const answer = await clients[dialect].logout?.(node, entered[dialect])
    // The source of tokenset has no logout.
    if (answer === undefined) continue
    t.match(answer.status, /^20[04]$/)
    await isOver(t, dialect, entered[dialect], 'logged out')
    for (const other of everyDialect.filter((name) => name !== dialect)) await isAlive(t, other, entered[other], `another logged out by ${dialect}`)
  }
})

await t.test('a session that is ended from the account, by an operator, or by revoking its token is over', async (t) => {
  for (const dialect of everyDialect) {
    const person = await newPerson(node)
    const own = await enter(node, 'directus', person)
    const header = { authorization: `Bearer ${own.accessToken}` }

    const ended = await enter(node, dialect, person)
    t.equal((await call(node, `/users/me/sessions/${sessionIdOf(ended)}`, { method: 'DELETE', headers: header })).status, 204)
    await isOver(t, dialect, ended, 'ended from the account')

    const byOperator = await enter(node, dialect, person)
    await endSessionOf(service, sessionIdOf(byOperator), operator)
    await isOver(t, dialect, byOperator, 'ended by an operator')

    const others = await enter(node, dialect, person)
    t.equal((await call(node, '/users/me/sessions', { method: 'DELETE', headers: header })).status, 204)
    await isOver(t, dialect, others, 'all others ended')
    await isAlive(t, 'directus', own, 'the one that ended them')
  }
})

await t.test('what happens to a user happens in all dialects', async (t) => {
  const events: Record<string, (person: Person) => Promise<unknown>> = {
    'a new password': ({ id }) => setPassword(service, id, 'another long password', operator),
    'a new PIN': async ({ id }) => setPinOf(service, await findUser(service, { id }), '99887766', operator),
    'a suspension': ({ id }) => setStatus(service, id, 'suspended', operator),
    'an operator’s revoke': ({ id }) => revokeUser(service, id, operator),
    'the deletion of the user': ({ id }) => deleteUser(service, id, operator),
    'the end of everything': () => revokeEverything(service, operator),
  }
  for (const [why, happen] of Object.entries(events)) {
    const person = await newPerson(node)
    const entered = await enterEverywhere(person)
    await happen(person)
    for (const dialect of everyDialect) await isOver(t, dialect, entered[dialect], why)
  }
})

await t.test('a change of role reaches the next token of every dialect, and no session ends', async (t) => {
  const person = await newPerson(node)
  const entered = await enterEverywhere(person)
  await setRole(service, await findUser(service, { id: person.id }), 'admin', operator)
  for (const dialect of everyDialect) {
    t.notOk(await isLive(node, entered[dialect]), `${dialect}: the token with the old rights`)
    const { accessToken } = await renew(node, dialect, entered[dialect].refreshToken)
    t.match(claimsOf(accessToken).scope, /\badmin\b/)
  }
})

await t.test('case 25: a password that the user changes ends every session but the one that changed it', async (t) => {
  const person = await newPerson(node)
  const entered = await enterEverywhere(person)
  const body = { current: person.password, new: 'another long password' }
  t.equal((await call(node, '/users/me/password', { body, headers: { authorization: `Bearer ${entered.tokenset.accessToken}` } })).status, 204)
  for (const dialect of everyDialect.filter((name) => name !== 'tokenset')) await isOver(t, dialect, entered[dialect], 'after the change')
  const renewed = await isAlive(t, 'tokenset', entered.tokenset, 'the session that made the change')
  t.ok(await isLive(node, renewed))
})

await t.test('case 43: nobody with a second factor comes in by any dialect without a code, and a code is good in one of them', async (t) => {
  for (const dialect of everyDialect) {
    const person = await newPerson(node)
    const code = await enableTotp(node, person.id)
    for (const otp of [undefined, '', '000000', '12345', 'a code']) {
      const { status, cookies, text } = await clients[dialect].login(node, person, otp)
      t.match(status, /^40[01]$/, `${dialect}: ${otp ?? 'no code'}`)
      t.same(cookies, {})
      t.notMatch(text, /eyJ/)
      // Five failures are free.
      await service.repository.attempts.unlock(person.id)
    }
    const otp = code()
    t.equal((await clients[dialect].login(node, person, otp)).status, 200)
    for (const other of everyDialect) t.match((await clients[other].login(node, person, otp)).status, /^40[01]$/, `${other}: the code was used in ${dialect}`)
  }
})

await t.test('case 31: failures are counted over all dialects, by username and by email together', async (t) => {
  const person = await newPerson(node)
  const wrong = { ...person, password: 'wrong', pin: '0000' }
  for (const dialect of ['pin', 'directus', 'bearer', 'tokenset', 'directus'] as const) t.match((await clients[dialect].login(node, wrong)).status, /^40[01]$/)
  for (const dialect of everyDialect) t.match((await clients[dialect].login(node, person)).status, /^40[01]$/, `${dialect} is locked`)
  await node.clock.advance(31)
  for (const dialect of everyDialect) await enter(node, dialect, person)
})

await t.test('case 37: a name is one name in all dialects, and no look-alike is', async (t) => {
  const person = await newPerson(node)
  const upper = { ...person, username: person.username.toUpperCase(), email: person.email.toUpperCase() }
  const fullWidth = { ...person, username: person.username.replace('p', '\uff50'), email: person.email.replace('p', '\uff50') }
  for (const dialect of everyDialect) {
    for (const same of [upper, fullWidth]) t.match(claimsOf((await enter(node, dialect, same)).accessToken), { sub: person.id })
  }
  const sessionsBefore = (await service.repository.sessions.listAlive(person.id)).length
  for (const dialect of everyDialect) {
    for (const username of [person.username.replace('p', '\u0440'), `${person.username}\u200b`, `${person.username} `, ` ${person.username}`]) {
      t.match((await clients[dialect].login(node, { ...person, username, email: `${username}@example.com` })).status, /^40[01]$/, `${dialect}: ${JSON.stringify(username)}`)
    }
  }
  t.equal((await service.repository.sessions.listAlive(person.id)).length, sessionsBefore)
  for (const dialect of everyDialect) await enter(node, dialect, person)
})

import t, { type Test } from 'tap'
import type { DialectName } from '../../src/domain/model.js'
import { foldStoredNames } from '../../src/domain/fold-names.js'
import { createUser, setPinOf, setStatus, findUser } from '../../src/domain/operators.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { faultOf } from '../support/attacks.js'
import { auditCount, call, claimsOf, enableTotp, footprint, type Answer } from '../support/auth-client.js'
import { badBodies, hostileTexts, sendBad } from '../support/bad-input.js'
import { clients, enter, everyDialect, newPerson, renew, type Person } from '../support/dialect-clients.js'
import { goodBody, knock, loginDoors, visible } from '../support/login-doors.js'
import { times } from '../support/repository.js'

const operator = { kind: 'operator', id: 'test' } as const
const environment = { TRUST_PROXY: '127.0.0.1' }
const node = await startTestApp(t, { environment })
const other = await startTestApp(t, { environment, database: node.database, clock: node.clock })
const { service } = node.core

function isRefused(t: Test, dialect: DialectName, answer: Answer, what = '') {
  t.same([answer.status, answer.text], loginDoors[dialect].refusal, `${dialect}: ${what}`)
  t.same(answer.cookies, {}, what)
  t.equal(faultOf({ ...answer, header: (name) => answer.headers.get(name) ?? '' }), null, what)
}

/** Counts the comparisons of secrets on a node: all of them, and those with a hash that is stored. */
function countComparisons(t: Test, on: TestApp) {
  const { hasher } = on.core.service
  const kept = { ...hasher }
  const counts = { all: 0, real: 0 }
  hasher.verify = (stored, secret, fairness) => {
    counts.all += 1
    if (stored !== null) counts.real += 1
    return kept.verify(stored, secret, fairness)
  }
  t.teardown(() => Object.assign(hasher, kept))
  return counts
}

const from = (ip: string) => ({ 'x-forwarded-for': ip })
let strangers = 0
const aStranger = () => {
  strangers += 1
  return from(`203.0.113.${strangers}`)
}

const wrongBody = (dialect: DialectName, person: Person) => ({ ...goodBody(dialect, person), [loginDoors[dialect].secret]: '99887766' })

for (const dialect of everyDialect) {
  await t.test(`case 29: ${dialect}: unknown, wrong, suspended, locked, without that credential: the same bytes, after the same work`, async (t) => {
    const { secret, identifier } = loginDoors[dialect]
    const suspended = await newPerson(node)
    await setStatus(service, suspended.id, 'suspended', operator)
    const locked = await newPerson(node)
    for (let i = 0; i < 5; i += 1) await knock(node, dialect, wrongBody(dialect, locked))
    const withoutIt = await newPerson(node, secret === 'pin' ? { pin: null } : { password: null })
    const guarded = await newPerson(node)
    await enableTotp(node, guarded.id)
    const bodies = {
      unknown: { [identifier]: identifier === 'email' ? 'nobody@example.com' : 'nobody', [secret]: '99887766' },
      wrong: wrongBody(dialect, await newPerson(node)),
      suspended: goodBody(dialect, suspended),
      locked: goodBody(dialect, locked),
      'without that credential': goodBody(dialect, withoutIt),
      'no name that can be': { [identifier]: '\u200b', [secret]: '99887766' },
      'a wrong secret and no code': wrongBody(dialect, guarded),
      // In directus a missing code is told, once the password was right.
      ...(dialect === 'directus' ? {} : { 'no code': goodBody(dialect, guarded), 'a wrong code': { ...goodBody(dialect, guarded), otp: '000000' } }),
    }
    const counts = countComparisons(t, node)
    let first: unknown
    for (const [what, body] of Object.entries(bodies)) {
      const before = counts.all
      const answer = await knock(node, dialect, body)
      isRefused(t, dialect, answer, what)
      t.equal(counts.all - before, 1, `${what}: one comparison`)
      first ??= visible(answer)
      t.same(visible(answer), first, what)
    }
  })
}

await t.test('case 30: of 100 wrong logins at once, over two nodes and all dialects, five are evaluated', async (t) => {
  const person = await newPerson(node)
  const counts = [countComparisons(t, node), countComparisons(t, other)]
  const answers = await Promise.all(
    times(100, (i) => {
      const dialect = everyDialect[i % everyDialect.length] ?? 'bearer'
      return knock(i % 8 < 4 ? node : other, dialect, wrongBody(dialect, person)).then((answer) => ({ dialect, answer }))
    }),
  )
  for (const { dialect, answer } of answers) {
    if (answer.status === 503) t.match(answer.headers.get('retry-after'), /^\d+$/)
    else isRefused(t, dialect, answer)
  }
  const evaluated = counts.reduce((sum, { real }) => sum + real, 0)
  t.ok(evaluated <= 5, `${evaluated} evaluated`)
  for (const dialect of everyDialect) isRefused(t, dialect, await knock(other, dialect, goodBody(dialect, person)), 'locked')
})

await t.test('case 31: a stranger locks strangers out, of all dialects and by either name, and never who is known', async (t) => {
  const person = await newPerson(node)
  const home = from('198.51.100.7')
  t.equal((await knock(node, 'bearer', goodBody('bearer', person), home)).status, 200)
  for (const dialect of ['tokenset', 'directus', 'pin', 'bearer', 'directus'] as const) isRefused(t, dialect, await knock(node, dialect, wrongBody(dialect, person), aStranger()))
  for (const on of [node, other]) {
    for (const dialect of everyDialect) {
      isRefused(t, dialect, await knock(on, dialect, goodBody(dialect, person), aStranger()), 'a stranger with the right secret')
      const known = await knock(on, dialect, goodBody(dialect, person), home)
      t.equal(known.status, 200, `${dialect}: the owner, from where they are known`)
    }
  }
  isRefused(t, 'tokenset', await knock(node, 'tokenset', { username: person.email, password: person.password }, aStranger()), 'by email')
})

await t.test('case 31: the waits double from 30 s to 15 min, and what is refused meanwhile counts nothing', async (t) => {
  const person = await newPerson(node)
  const where = aStranger()
  const guess = (body: object) => knock(node, 'bearer', body, where)
  for (let i = 0; i < 5; i += 1) await guess(wrongBody('bearer', person))
  for (const waitSeconds of [30, 60, 120, 240, 480, 900, 900]) {
    for (let i = 0; i < 3; i += 1) isRefused(t, 'bearer', await guess(goodBody('bearer', person)), 'locked, and the secret is right')
    await node.clock.advance(waitSeconds - 5)
    isRefused(t, 'bearer', await guess(goodBody('bearer', person)), `shortly before ${waitSeconds} s are over`)
    await node.clock.advance(6)
    isRefused(t, 'bearer', await guess(wrongBody('bearer', person)), 'open for one guess')
  }
  await node.clock.advance(901)
  t.equal((await guess(goodBody('bearer', person))).status, 200)
  isRefused(t, 'bearer', await guess(wrongBody('bearer', person)))
  t.equal((await guess(goodBody('bearer', person))).status, 200, 'a success has reset the count')
})

for (const dialect of everyDialect) {
  await t.test(`case 31: ${dialect}: six right logins at once are no failure`, async (t) => {
    const person = await newPerson(node)
    const answers = await Promise.all(times(6, (i) => knock(i % 2 === 0 ? node : other, dialect, goodBody(dialect, person))))
    t.same(answers.map(({ status }) => status), times(6, () => 200))
    t.equal((await service.repository.sessions.listAlive(person.id)).length, 6)
    for (let i = 0; i < 4; i += 1) await knock(node, dialect, wrongBody(dialect, person))
    t.equal((await knock(node, dialect, goodBody(dialect, person))).status, 200, 'nothing was counted')
  })

  await t.test(`case 32: ${dialect}: a locked account refuses the right secret, and its sessions refresh`, async (t) => {
    const person = await newPerson(node)
    const tokens = await enter(node, dialect, person)
    for (let i = 0; i < 5; i += 1) await knock(node, dialect, wrongBody(dialect, person))
    isRefused(t, dialect, await knock(node, dialect, goodBody(dialect, person)))
    t.equal((await call(node, '/users/me', { method: 'GET', headers: { authorization: `Bearer ${tokens.accessToken}` } })).status, 200)
    await renew(other, dialect, tokens.refreshToken)
  })
}

await t.test('case 33: of all PINs in turn ten are evaluated, then the PIN is closed to whoever guessed, until it is reset', async (t) => {
  const person = await newPerson(node, { pin: '0040' })
  const owner = { ...person, pin: '0040' }
  const home = from('198.51.100.33')
  t.equal((await knock(node, 'pin', goodBody('pin', owner), home)).status, 200)
  const counts = countComparisons(t, node)
  const guesser = from('192.0.2.33')
  for (let pin = 0; pin < 60; pin += 1) {
    isRefused(t, 'pin', await knock(node, 'pin', { name: person.username, pin: String(pin).padStart(4, '0') }, guesser))
    await node.clock.advance(901)
  }
  t.equal(counts.real, 10)
  isRefused(t, 'pin', await knock(node, 'pin', goodBody('pin', owner), guesser), 'the right one too')
  isRefused(t, 'pin', await knock(node, 'pin', goodBody('pin', owner), from('192.0.2.34')), 'from any other place that is not known')
  t.equal((await knock(node, 'pin', goodBody('pin', owner), home)).status, 200, 'where the owner is known it is open')
  t.equal((await knock(node, 'bearer', goodBody('bearer', owner), guesser)).status, 200, 'a password is another matter')
  isRefused(t, 'pin', await knock(node, 'pin', goodBody('pin', owner), from('192.0.2.35')), 'and opens no PIN')
  await setPinOf(service, await findUser(service, { id: person.id }), '7351', operator)
  t.equal((await knock(node, 'pin', { name: person.username, pin: '7351' }, from('192.0.2.36'))).status, 200, 'reset')
})

await t.test('case 34: one PIN over a thousand names, from one /64, is 429 after thirty', async (t) => {
  const limited = await startTestApp(t, { database: node.database, clock: node.clock, environment: { ...environment, RATE_LIMIT: 'on' } })
  const counts = countComparisons(t, limited)
  const statuses = new Map<number, number>()
  for (let i = 0; i < 1000; i += 1) {
    const { statusCode } = await limited.app.inject({
      method: 'POST',
      url: '/auth/login',
      headers: { 'content-type': 'application/json', ...from(`2001:db8:7:7::${i.toString(16)}`) },
      payload: JSON.stringify({ name: `name${i}`, pin: '1234' }),
    })
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
  }
  t.same(Object.fromEntries(statuses), { 401: 30, 429: 970 })
  t.equal(counts.all, 30)
  const refused = await knock(limited, 'tokenset', { username: 'nobody', password: '1234' }, from('2001:db8:7:7:ffff::1'))
  t.equal(refused.status, 429, 'the dialects count together')
  t.ok(Number(refused.headers.get('retry-after')) > 0)
  t.not((await knock(limited, 'tokenset', { username: 'nobody', password: '1234' }, from('2001:db8:7:8::1'))).status, 429, 'another household')
})

const longest = '\u{1f511}'.repeat(128)

for (const dialect of everyDialect) {
  const { identifier, secret } = loginDoors[dialect]

  await t.test(`case 35: ${dialect}: 128 code points are compared to the last, 129 are refused unread`, async (t) => {
    const person = await newPerson(node, { password: longest })
    if (secret === 'password') {
      t.equal((await knock(node, dialect, { ...goodBody(dialect, person), password: longest })).status, 200)
      const sixtyFour = await newPerson(node, { password: 'é'.repeat(64) })
      t.equal((await knock(node, dialect, { ...goodBody(dialect, sixtyFour), password: 'é'.repeat(64) })).status, 200)
      for (const part of ['é'.repeat(63), 'é'.repeat(36), 'é'.repeat(65), `${'é'.repeat(64)} `]) isRefused(t, dialect, await knock(node, dialect, { ...goodBody(dialect, sixtyFour), password: part }), 'a part of it, or more')
    } else {
      for (const length of [64, 128]) isRefused(t, dialect, await knock(node, dialect, { ...goodBody(dialect, person), pin: person.pin.padEnd(length, '0') }), 'more than it')
    }
    const before = await footprint(node)
    for (const long of [`${longest}x`, 'x'.repeat(129), 'x'.repeat(10_000)]) {
      const answer = await knock(node, dialect, { ...goodBody(dialect, person), [secret]: long })
      t.equal(answer.status, 400)
      t.match(answer.text, `${secret} must be at most 128 characters`)
    }
    t.equal((await knock(node, dialect, { ...goodBody(dialect, person), [identifier]: 'n'.repeat(255) })).status, 400)
    t.equal(await footprint(node), before, 'no attempt is counted')
  })

  await t.test(`case 36: ${dialect}: a NUL in a name, however it is written, is 400`, async (t) => {
    const person = await newPerson(node)
    const before = await footprint(node)
    for (const nul of ['\\u0000', '\\u0000x', 'x\\u0000']) {
      for (const member of [identifier, secret, 'otp', 'unknown']) {
        const members = { ...goodBody(dialect, person), [member]: 'HERE' }
        const answer = await knock(node, dialect, JSON.stringify(members).replace('HERE', `${members[identifier] ?? ''}${nul}`))
        t.equal(answer.status, 400, `${member} ${nul}`)
        t.notMatch(answer.text, '\0')
      }
    }
    const raw = await sendBad(node, loginDoors[dialect].path, { body: JSON.stringify(goodBody(dialect, person)).replace('person', 'per\0son') })
    t.equal(raw.status, 400)
    t.equal(await footprint(node), before)
  })

  await t.test(`case 38: ${dialect}: SQL and what else is hostile is an ordinary wrong name, secret or code`, async (t) => {
    const guarded = await newPerson(node)
    await enableTotp(node, guarded.id)
    const users = async () => (await service.repository.users.list({ after: null, limit: 10_000 })).length
    const before = await users()
    for (const text of hostileTexts) {
      isRefused(t, dialect, await knock(node, dialect, { [identifier]: text, [secret]: text }), JSON.stringify(text))
      isRefused(t, dialect, await knock(node, dialect, { ...goodBody(dialect, await newPerson(node)), [secret]: text }), JSON.stringify(text))
      const answer = await knock(node, dialect, { ...goodBody(dialect, guarded), otp: text })
      t.equal(answer.status, loginDoors[dialect].refusal[0], 'as a code')
      t.same(answer.cookies, {})
      t.equal(faultOf({ ...answer, header: (name) => answer.headers.get(name) ?? '' }), null)
      await service.repository.attempts.unlock(guarded.id)
    }
    t.equal(await users(), before + hostileTexts.length, 'nobody was dropped')
  })

  await t.test(`case 39: case 41: case 42: ${dialect}: no body but a good one is read, and none counts an attempt`, async (t) => {
    const good = goodBody(dialect, await newPerson(node))
    const before = await footprint(node)
    const wrong: string[] = []
    for (const bad of [...badBodies({ ...good, otp: '123456' }, Object.keys(good)), ...prototypes(good)]) {
      const answer = await sendBad(node, loginDoors[dialect].path, bad)
      // Without its identifying members a body on /auth is nobody's.
      const isNobodys = bad.status === 400 && answer.text.includes('"errors"') && answer.text.includes('"message"')
      if (answer.status !== bad.status || (!isNobodys && !answer.text.includes(bad.reason) && dialect !== 'tokenset' && bad.status === 400)) wrong.push(`${bad.what}: ${answer.status} ${answer.text}`)
      const fault = faultOf({ status: answer.status, text: answer.text, header: (name) => answer.headers.get(name) ?? '' })
      if (fault !== null) wrong.push(`${bad.what}: ${fault}`)
    }
    t.same(wrong, [])
    t.equal(await footprint(node), before)
  })

  await t.test(`case 40: ${dialect}: role, id and status in a login are without effect`, async (t) => {
    const person = await newPerson(node)
    const victim = await newPerson(node)
    const answer = await knock(node, dialect, { ...goodBody(dialect, person), role: 'admin', id: victim.id, user_id: victim.id, sub: victim.id, status: 'active', scope: 'admin', admin: true, dialect: 'bearer' })
    t.equal(answer.status, 200)
    const { accessToken } = clients[dialect].tokensOf(answer)
    t.match(claimsOf(accessToken), { sub: person.id, scope: 'profile' })
    const user = await findUser(service, { id: person.id })
    t.match(user, { role: 'user', status: 'active' })
  })

  await t.test(`case 43: ${dialect}: without its code nobody with a second factor gets in, each miss counts, and a code works once`, async (t) => {
    const person = await newPerson(node)
    // A network of its own: of many failures of one network the trail tells only how many they were.
    const place = from(`198.51.${100 + everyDialect.indexOf(dialect)}.7`)
    const code = await enableTotp(node, person.id)
    const otpRefusal = dialect === 'directus' ? [401, '{"errors":[{"message":"Invalid user OTP.","extensions":{"code":"INVALID_OTP"}}]}'] : loginDoors[dialect].refusal
    const failed = await auditCount(node, 'login_failed')
    for (const otp of [undefined, '', '000000', `-${code()}`, `${code()}0`]) {
      const answer = await knock(node, dialect, { ...goodBody(dialect, person), ...(otp === undefined ? {} : { otp }) }, place)
      t.same([answer.status, answer.text], otpRefusal, otp ?? 'none')
      t.same(answer.cookies, {})
    }
    t.equal(await auditCount(node, 'login_failed'), failed + 5)
    isRefused(t, dialect, await knock(node, dialect, { ...goodBody(dialect, person), otp: code() }, place), 'locked by them')
    await node.clock.advance(31)
    const otp = code()
    const [one, two] = await Promise.all([knock(node, dialect, { ...goodBody(dialect, person), otp }, place), knock(other, dialect, { ...goodBody(dialect, person), otp }, place)])
    t.same([one.status, two.status].sort(), [200, otpRefusal[0]], 'one code, two logins at once')
    for (const elsewhere of everyDialect) {
      if (elsewhere !== 'directus') isRefused(t, elsewhere, await knock(node, elsewhere, { ...goodBody(elsewhere, person), otp }), 'used')
    }
  })

  await t.test(`case 44: ${dialect}: a stored cost below the configured is raised once, at the next success`, async (t) => {
    const person = await newPerson(node)
    const costly = await startTestApp(t, { database: node.database, clock: node.clock, environment: { ...environment, ARGON2_TIME: '2' } })
    const table = secret === 'pin' ? 'pins' : 'passwords'
    const stored = async () => (await node.core.pool.query<{ hash: string; cost: string }>(`SELECT hash, cost FROM ${table} WHERE user_id = $1`, [person.id])).rows[0]
    const before = await stored()
    t.match(before?.cost, /t=1/)
    isRefused(t, dialect, await knock(costly, dialect, wrongBody(dialect, person)))
    t.same(await stored(), before, 'not by a failure')
    t.equal((await knock(costly, dialect, goodBody(dialect, person))).status, 200)
    const raised = await stored()
    t.match(raised?.hash, /t=2/)
    t.match(raised?.cost, /t=2/)
    t.equal((await knock(costly, dialect, goodBody(dialect, person))).status, 200)
    t.same(await stored(), raised, 'once')
    await costly.close()
  })
}

/** Names that reach for what every object has. */
function prototypes(good: Readonly<Record<string, string>>) {
  const json = JSON.stringify(good).slice(0, -1)
  const member = (what: string, text: string) => ({ what, body: `${json},${text}}`, status: 400 as const, reason: 'The body has a member named' })
  return [
    member('constructor.prototype', '"constructor":{"prototype":{"role":"admin"}}'),
    member('constructor.prototype, escaped', '"\\u0063onstructor":{"prototype":{"role":"admin"}}'),
    member('constructor.prototype, in a list', '"x":[{"constructor":{"prototype":{}}}]'),
    member('__proto__, escaped', '"\\u005f\\u005fproto\\u005f\\u005f":{"role":"admin"}'),
  ]
}

await t.test('case 37: one canonical rule, when an account is made and when somebody logs in', async (t) => {
  const create = (username: string) => createUser(service, { username, email: null, password: 'correct horse battery', pin: '471100', role: 'user' }, operator)
  await create('admin')
  await create('jané')
  for (const same of ['ADMIN', 'Admin', 'ａｄｍｉｎ', 'ⓐⓓⓜⓘⓝ', '\u{1d5ba}\u{1d5bd}\u{1d5c6}\u{1d5c2}\u{1d5c7}', 'jane\u0301', 'JANE\u0301', 'JANÉ']) {
    await t.rejects(create(same), { code: 'conflict' }, JSON.stringify(same))
    const owner = same.toLowerCase().startsWith('j') ? 'jané' : 'admin'
    const { id } = await findUser(service, { username: owner })
    for (const dialect of ['pin', 'bearer', 'tokenset'] as const) {
      const { identifier, secret } = loginDoors[dialect]
      const answer = await knock(node, dialect, { [identifier]: same, [secret]: secret === 'pin' ? '471100' : 'correct horse battery' })
      t.equal(answer.status, 200, `${dialect}: ${JSON.stringify(same)}`)
      t.equal(claimsOf(clients[dialect].tokensOf(answer).accessToken).sub, id)
    }
  }
  const invisible = ['\u200b', '\u200d', '\u2060', '\ufeff', '\u00ad', '\u202e', '\u180e', '\u034f', '\u115f', '\u1160', '\u3164', '\uffa0', '\ufe0f', '\u{e0100}', '\u{e0061}']
  const others = ['admin ', ' admin', 'admin\t', 'admin\u00a0', 'admin\u3000', 'ad min ', 'аdmin', 'adｍіn', 'admin@', 'admin＠example.com', 'admin\u0000', ...invisible.flatMap((letter) => [`admin${letter}`, `ad${letter}min`])]
  const before = (await service.repository.sessions.listAlive((await findUser(service, { username: 'admin' })).id)).length
  for (const name of others) {
    await t.rejects(create(name), { code: 'malformed' }, JSON.stringify(name))
    if (name.includes('\0')) continue
    for (const dialect of ['pin', 'bearer', 'tokenset'] as const) {
      const { identifier, secret } = loginDoors[dialect]
      isRefused(t, dialect, await knock(node, dialect, { [identifier]: name, [secret]: secret === 'pin' ? '471100' : 'correct horse battery' }), JSON.stringify(name))
    }
  }
  t.equal((await service.repository.sessions.listAlive((await findUser(service, { username: 'admin' })).id)).length, before)
})

await t.test('two names that a reader takes for one are one name, for who registers and who logs in [attack:names-that-fold-to-one]', async (t) => {
  const create = (username: string) => createUser(service, { username, email: null, password: 'correct horse battery', pin: '471100', role: 'user' }, operator)
  for (const [name, ...same] of [['ΟΔΟΣ', 'οδος', 'οδοσ'], ['Weiß', 'WEISS', 'weiss'], ['İbrahim', 'ibrahim', 'IBRAHIM', 'ı\u0307brahim'], ['fılız', 'FILIZ', 'filiz']] as const) {
    const { id } = await create(name)
    for (const other of same) {
      await t.rejects(create(other), { code: 'conflict' }, other)
      const answer = await knock(node, 'bearer', { username: other, password: 'correct horse battery' })
      t.equal(claimsOf(clients.bearer.tokensOf(answer).accessToken).sub, id, other)
    }
  }
  for (const mixed of ['аdmins', 'pаypal', 'αdmin', 'ꓮdmin']) await t.rejects(create(mixed), { code: 'malformed', message: /./ }, mixed)
})

await t.test('names that were stored before names were folded open the accounts that they opened [attack:names-of-before]', async (t) => {
  const before = await startTestApp(t)
  const create = (username: string, password: string) => before.createUser({ username, password })
  const ids = { street: (await create('strasse', 'the password of strasse')).id, old: (await create('placeholder', 'the password of straße')).id, way: (await create('other', 'the password of οδος')).id, mixed: (await create('third', 'the password of аdmin')).id }
  const store = (id: string, name: string) => before.core.pool.query('UPDATE users SET username = $2, username_canonical = $2, username_folded = NULL WHERE id = $1', [id, name])
  await store(ids.old, 'straße')
  await store(ids.way, 'οδος')
  await store(ids.mixed, 'аdmin')
  const subjectOf = async (username: string, password: string) => {
    const answer = await knock(before, 'bearer', { username, password })
    return answer.status === 200 ? claimsOf(clients.bearer.tokensOf(answer).accessToken).sub : answer.status
  }
  for (const when of ['before they are folded', 'after']) {
    t.equal(await subjectOf('STRASSE', 'the password of strasse'), ids.street, when)
    t.equal(await subjectOf('Straße', 'the password of straße'), ids.old, when)
    t.equal(await subjectOf('strasse', 'the password of straße'), 401, when)
    t.equal(await subjectOf('οδος', 'the password of οδος'), ids.way, when)
    t.equal(await subjectOf('аdmin', 'the password of аdmin'), ids.mixed, when)
    await foldStoredNames(before.core.service.repository)
  }
  t.equal(await subjectOf('ΟΔΟΣ', 'the password of οδος'), ids.way)
  await t.rejects(createUser(before.core.service, { username: 'ΟΔΟΣ', email: null, password: 'correct horse battery', pin: null, role: 'user' }, operator), { code: 'conflict' })
  t.strictSame(await before.core.service.repository.users.listUnfolded(10), [], 'every one is looked at once')
})

await t.test('case 37: an email follows the same rule', async (t) => {
  const person = await newPerson(node)
  const create = (email: string) => createUser(service, { username: null, email, password: 'correct horse battery', pin: null, role: 'user' }, operator)
  for (const same of [person.email.toUpperCase(), person.email.replace('p', 'ｐ'), person.email.replace('@', '＠')]) await t.rejects(create(same), { code: 'conflict' }, same)
  for (const other of [`${person.email} `, `\u200b${person.email}`, `${person.email}\u3164`, person.email.replace('@', '\ufe0f@'), 'a@b@c', 'no-at-sign']) await t.rejects(create(other), { code: 'malformed' }, JSON.stringify(other))
  for (const dialect of ['directus', 'tokenset'] as const) {
    const answer = await call(node, loginDoors[dialect].path, { body: { [loginDoors[dialect].identifier]: person.email.toUpperCase(), password: person.password } })
    t.equal(claimsOf(clients[dialect].tokensOf(answer).accessToken).sub, person.id)
  }
})

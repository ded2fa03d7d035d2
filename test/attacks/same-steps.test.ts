import t from 'tap'
import { openCore } from '../../src/core.js'
import { disableTotp } from '../../src/domain/accounts.js'
import { AuthError } from '../../src/domain/errors.js'
import { emailIdentifier, usernameIdentifier } from '../../src/domain/identifiers.js'
import { login } from '../../src/domain/login.js'
import type { DialectName, Origin, SessionPrincipal } from '../../src/domain/model.js'
import { setStatus } from '../../src/domain/operators.js'
import type { Service } from '../../src/domain/service.js'
import { startTestApp } from '../support/app.js'
import { enableTotp } from '../support/auth-client.js'
import { clients, enter, everyDialect, newPerson, sessionIdOf, type Person } from '../support/dialect-clients.js'
import { goodBody, knock, loginDoors } from '../support/login-doors.js'
import { serviceOf } from '../support/sessions.js'
import { recordStatements } from '../support/statements.js'

const node = await startTestApp(t, { environment: { TRUST_PROXY: '127.0.0.1' } })
const { service } = node.core
/** The same service over a pool that nothing else uses: what goes on in the background is no step of a login. */
const core = await openCore(node.config, { clock: node.clock, applicationName: 'tessera test', log: () => undefined })
t.teardown(() => core.close())
const alone: Service = { ...serviceOf(node), ...core.service }
const statements = recordStatements(core.pool)
const home = '198.51.100.7'
let strangers = 0

const wrongBody = (dialect: DialectName, person: Person) => ({ ...goodBody(dialect, person), [loginDoors[dialect].secret]: '99887766' })

/** Everything that was asked of the database for one call that is refused. */
async function stepsOf(act: () => Promise<unknown>): Promise<string[]> {
  statements.take()
  await t.rejects(act(), AuthError)
  return statements.take()
}

const originAt = (ip: string): Origin => ({ ip, userAgent: null, requestId: null })

function logIn(dialect: DialectName, body: Readonly<Record<string, string>>, ip: string, refreshCookies: readonly string[]) {
  const { identifier, secret } = loginDoors[dialect]
  return login(alone, {
    dialect: alone.settings.dialects[dialect],
    identifier: (identifier === 'email' ? emailIdentifier : usernameIdentifier)(body[identifier] ?? ''),
    factor: secret,
    secret: body[secret] ?? '',
    otp: body.otp ?? null,
    origin: originAt(ip),
    refreshCookies,
    replaces: refreshCookies[0] ?? null,
  })
}

interface Guess {
  readonly what: string
  readonly body: Readonly<Record<string, string>>
  /** null: from somewhere nobody has been. */
  readonly from?: string
}

/** One guess at each sort of account, each at an account of its own. */
async function guesses(dialect: DialectName): Promise<Guess[]> {
  const { identifier, secret } = loginDoors[dialect]
  const suspended = await newPerson(node)
  await setStatus(service, suspended.id, 'suspended', { kind: 'operator', id: 'test' })
  const locked = await newPerson(node)
  for (let i = 0; i < 5; i += 1) await knock(node, dialect, wrongBody(dialect, locked))
  const atHome = await newPerson(node)
  await service.repository.users.rememberNetwork(atHome.id, home)
  const guarded = await newPerson(node)
  await enableTotp(node, guarded.id)
  return [
    { what: 'unknown', body: { [identifier]: identifier === 'email' ? `nobody${strangers}@example.com` : `nobody${strangers}`, [secret]: '99887766' } },
    { what: 'wrong', body: wrongBody(dialect, await newPerson(node)) },
    { what: 'wrong, from where the owner is known', body: wrongBody(dialect, atHome), from: home },
    { what: 'suspended', body: goodBody(dialect, suspended) },
    { what: 'locked', body: goodBody(dialect, locked) },
    { what: 'without that credential', body: goodBody(dialect, await newPerson(node, secret === 'pin' ? { pin: null } : { password: null })) },
    { what: 'no code', body: goodBody(dialect, guarded) },
    { what: 'a wrong code', body: { ...goodBody(dialect, guarded), otp: '000000' } },
    { what: 'a recovery code that is none', body: { ...goodBody(dialect, guarded), otp: 'abcde-23456' } },
  ]
}

for (const dialect of everyDialect) {
  await t.test(`${dialect}: a refused login asks the database the same, whatever the reason and whatever cookies stand beside it [attack:name-told-by-statements]`, async (t) => {
    const own = await enter(node, 'pin', await newPerson(node))
    const ownDirectus = await enter(node, 'directus', await newPerson(node))
    const dead = await enter(node, 'pin', await newPerson(node))
    await clients.pin.logout?.(node, dead)
    const decorations: Record<string, string[]> = {
      'no cookie': [],
      'a refresh cookie of the client’s own': [own.refreshToken],
      'two of them': [own.refreshToken, ownDirectus.refreshToken],
      'a dead one': [dead.refreshToken],
      'a forged one': [`${own.refreshToken.slice(0, -4)}AAAA`],
      garbage: ['x', '%%%'],
    }
    let first: string[] | null = null
    for (const [decoration, cookies] of Object.entries(decorations)) {
      for (const { what, body, from } of await guesses(dialect)) {
        strangers += 1
        const steps = await stepsOf(() => logIn(dialect, body, from ?? `203.0.${strangers % 250}.1`, cookies))
        first ??= steps
        t.same(steps, first, `${what}, ${decoration}`)
      }
    }
    t.ok(first?.length, `${first?.length} statements`)
  })
}

await t.test('the refresh cookie of a live session makes its owner known, and nobody else', async (t) => {
  const [owner, other] = [await newPerson(node), await newPerson(node)]
  const { refreshToken } = await enter(node, 'pin', owner)
  for (const person of [owner, other]) {
    for (let i = 0; i < 5; i += 1) await knock(node, 'bearer', wrongBody('bearer', person), { 'x-forwarded-for': '192.0.2.1' })
  }
  const withCookie = (person: Person, ip: string) => knock(node, 'bearer', goodBody('bearer', person), { 'x-forwarded-for': ip, cookie: `refreshToken=${refreshToken}` })
  t.equal((await withCookie(owner, '192.0.2.2')).status, 200)
  t.equal((await withCookie(other, '192.0.2.2')).status, 401)
  await service.repository.sessions.revoke((await service.repository.sessions.listAlive(owner.id)).at(-1)?.id ?? '', 'logout')
  t.equal((await withCookie(owner, '192.0.2.3')).status, 401, 'not once the session has ended')
})

await t.test('a wrong code at /users/me/tfa/disable asks the database the same, whether or not the account is locked [attack:lock-told-by-statements]', async (t) => {
  const person = await newPerson(node)
  const tokens = await enter(node, 'bearer', person)
  const principal: SessionPrincipal = {
    kind: 'session', userId: person.id, username: person.username, email: person.email, sessionId: sessionIdOf(tokens),
    epoch: 0, amr: ['pwd'], tokenId: 'one', scopes: [], expiresAt: node.clock.now(),
  }
  await enableTotp(node, person.id)
  let networks = 0
  const disable = (otp: string) => stepsOf(() => disableTotp(alone, principal, otp, originAt(`203.1.${(networks += 1)}.1`)))
  const first = await disable('000000')
  for (const otp of ['000001', 'abcde-23456', 'x', '000002']) t.same(await disable(otp), first, otp)
  for (const otp of ['000003', 'abcde-23456']) t.same(await disable(otp), first, `locked: ${otp}`)
})

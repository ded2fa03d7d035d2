import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import { password } from './account.js'
import { newAdmin, type Admin } from './admin.js'
import type { TestApp } from './app.js'
import { call, type Answer } from './auth-client.js'
import { enter, newPerson, sessionIdOf, type Person, type Tokens } from './dialect-clients.js'
import type { RaceTrack } from './races.js'
import { times } from './repository.js'
import { beUnhurried } from './standstill.js'
import { inParallel } from './statistics.js'

type Node = RaceTrack['nodes'][number]

const lanes = 4
/** About as long as a change takes: so each side is first now and then. Milliseconds. */
const jitterMs = 12

/** One round: somebody's authority ends through one node while it is used through the other. */
export interface Round {
  readonly end: (node: Node) => Promise<Answer>
  readonly change: (node: Node) => Promise<Answer>
  /** The audit events of the end, and of the change; with whom they are about. */
  readonly events: { readonly end: string; readonly change: string; readonly actor: string; readonly ended: string }
  /** What must not be there when both are done. */
  readonly alive?: () => Promise<readonly string[]>
}

/**
 * Of every round, the change is either before the end, or refused: the trail tells, since each side writes its event behind the
 * row that the other one needs.
 */
export async function raceAgainstTheEnd(t: Test, { app, nodes }: RaceTrack, rounds: number, prepare: (index: number) => Promise<Round>): Promise<void> {
  const alive: string[] = []
  const seen = { before: 0, refused: 0, turnedAway: 0 }
  await inParallel(times(rounds, (index) => index), lanes, async (index) => {
    const round = await prepare(index)
    const [one, other] = index % 2 === 0 ? nodes : [nodes[1], nodes[0]]
    const [ended, changed] = await Promise.all([soon(() => round.end(one)), soon(() => round.change(other))])
    if (ended.status >= 300) {
      seen.turnedAway += 1
      return
    }
    if (changed.status < 300) seen.before += 1
    else if ([401, 403].includes(changed.status)) seen.refused += 1
    else seen.turnedAway += 1
    alive.push(...(await changesAfter(app, round)), ...((await round.alive?.()) ?? []))
  })
  t.comment(`${rounds} rounds: ${seen.before} changes were before the end, ${seen.refused} were refused, ${seen.turnedAway} turned away`)
  t.same(alive, [])
  t.ok(seen.refused > 0, 'some changes came too late')
}

async function soon(act: () => Promise<Answer>): Promise<Answer> {
  await pause(Math.random() * jitterMs)
  return act()
}

async function changesAfter({ core }: TestApp, { events }: Round): Promise<string[]> {
  const { rows } = await core.pool.query<{ id: number }>(`
    SELECT c.id FROM audit_events c JOIN audit_events e ON e.id < c.id AND e.type = $1 AND $4 IN (e.user_id::text, e.session_id::text)
    WHERE c.type = $2 AND c.actor = $3`, [events.end, events.change, events.actor, events.ended])
  return rows.map(({ id }) => `${events.change} (event ${id}) after ${events.end}`)
}

const bearer = ({ accessToken }: Pick<Tokens, 'accessToken'>) => ({ authorization: `Bearer ${accessToken}` })

const mint = (tokens: Tokens) => (node: Node) => call(node, '/api/v1/auth/keys', { headers: bearer(tokens) })

const roll = (tokens: Tokens, keyId: string) => (node: Node) => call(node, `/api/v1/auth/keys/${keyId}/roll`, { headers: bearer(tokens) })

const byAdmin = ({ token }: Admin, method: string, path: string, body?: object) => (node: Node) =>
  call(node, path, { method, headers: { authorization: `Bearer ${token}` }, ...(body === undefined ? {} : { body }) })

/** The rounds by what they race. */
export function roundsOf({ app, nodes: [a] }: RaceTrack, chief: Admin) {
  const { apiKeys } = app.core.service.repository
  const logIn = async (): Promise<{ person: Person; tokens: Tokens }> => {
    const person = await newPerson(app)
    return { person, tokens: await enter(a, 'bearer', person) }
  }
  const keysOf = ({ id }: { id: string }) => async () => (await apiKeys.list(id)).map((key) => `the key ${key.id}`)
  const minting = (end: string, { id }: { id: string }, ended = id) => ({ end, change: 'api_key_created', actor: `user:${id}`, ended })

  return {
    async 'an API key that is made against the revocation of its user'() {
      const { person, tokens } = await logIn()
      return { end: byAdmin(chief, 'POST', `/admin/users/${person.id}/revoke`), change: mint(tokens), events: minting('user_revoked', person), alive: keysOf(person) }
    },
    async 'an API key that is made against the suspension of its user'() {
      const { person, tokens } = await logIn()
      return { end: byAdmin(chief, 'PATCH', `/admin/users/${person.id}`, { status: 'suspended' }), change: mint(tokens), events: minting('user_suspended', person) }
    },
    async 'an API key that is made against a logout'() {
      const { person, tokens } = await logIn()
      return { end: (node: Node) => call(node, '/api/v1/auth/logout', { headers: bearer(tokens) }), change: mint(tokens), events: minting('logout', person, sessionIdOf(tokens)) }
    },
    async 'an API key that is rolled against the revocation of its user'() {
      const { person, tokens } = await logIn()
      const made = await mint(tokens)(a)
      const keyId = String((made.json as Record<string, unknown>).keyId)
      const events = { ...minting('user_revoked', person), change: 'api_key_rolled' }
      return { end: byAdmin(chief, 'POST', `/admin/users/${person.id}/revoke`), change: roll(tokens, keyId), events, alive: keysOf(person) }
    },
    async 'an API key that is made by a stolen session against the end of all others and all keys'() {
      const { person, tokens } = await logIn()
      const stolen = await enter(a, 'bearer', person)
      const end = (node: Node) => call(node, '/users/me/sessions?end_keys=true', { method: 'DELETE', headers: bearer(tokens) })
      return { end, change: mint(stolen), events: minting('sessions_ended', person), alive: keysOf(person) }
    },
    async 'a new operator against the demotion of who makes it'(index: number) {
      const admin = await newAdmin(app)
      const change = byAdmin(admin, 'POST', '/admin/users', { username: `made.in.race.${index}`, role: 'admin' })
      const events = { end: 'user_role_changed', change: 'user_created', actor: `operator:user:${admin.id}`, ended: admin.id }
      return { end: byAdmin(chief, 'PATCH', `/admin/users/${admin.id}`, { role: 'user' }), change, events }
    },
    async 'a password that is set against the suspension of the operator'() {
      const [admin, { id }] = [await newAdmin(app), await newPerson(app)]
      const change = byAdmin(admin, 'POST', `/admin/users/${id}/password`, { password: 'set by an operator' })
      const events = { end: 'user_suspended', change: 'password_changed', actor: `operator:user:${admin.id}`, ended: admin.id }
      return { end: byAdmin(chief, 'PATCH', `/admin/users/${admin.id}`, { status: 'suspended' }), change, events }
    },
  } satisfies Record<string, (index: number) => Promise<Round>>
}

/**
 * Two operators change each other, and their own accounts, at once, on two nodes that wait for locks as long as it takes: none of
 * them stands in the other's way. Closes the nodes: the server counts what a connection has met when it ends.
 */
export async function raceOperators(t: Test, nodes: readonly [TestApp, TestApp], rounds: number): Promise<void> {
  const [app] = nodes
  for (const node of nodes) beUnhurried(node)
  const strange: string[] = []
  for (let round = 0; round < rounds; round += 1) {
    const [one, other] = [await newAdmin(app), await newAdmin(app)]
    const changesOf = (by: Admin, target: Admin) => [
      byAdmin(by, 'POST', `/admin/users/${target.id}/pin`, { pin: '471199' }),
      byAdmin(by, 'POST', `/admin/users/${by.id}/unlock`),
      (node: Node) => call(node, '/api/v1/auth/keys', { headers: { authorization: `Bearer ${by.token}` } }),
      byAdmin(by, 'POST', `/admin/users/${target.id}/password`, { password: 'set by an operator' }),
      (node: Node) => call(node, '/users/me/password', { body: { current: password, new: 'another good password' }, headers: { authorization: `Bearer ${by.token}` } }),
    ]
    const answers = await Promise.all([...changesOf(one, other), ...changesOf(other, one)].map((act, index) => act(nodes[index % 2] ?? app)))
    strange.push(...answers.filter(({ status }) => status >= 500).map(({ status, text }) => `${status} ${text}`))
  }
  t.same(strange, [])
  for (const node of nodes) await node.close()
  const client = await app.database.client()
  const { rows: [row] } = await client.query<{ deadlocks: number }>('SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()')
  t.equal(row?.deadlocks, 0, 'no two transactions waited for each other')
}

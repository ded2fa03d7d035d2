import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { RaceTrack } from './races.js'
import { call, claimsOf } from './auth-client.js'
import { clients, enter, newPerson, type Tokens } from './dialect-clients.js'
import { untilAnswer, verifyStatus } from './fleet.js'
import { times } from './repository.js'
import { inParallel, quantile } from './statistics.js'

type Node = RaceTrack['nodes'][number]

const lanes = 4
/** About as long as a refresh takes: so each side is first now and then. Milliseconds. */
const jitterMs = 6

/** A logout through one node while both are asked to refresh. What the refreshes gave lives no longer than the word takes to travel. */
export async function raceLogoutAgainstRefresh(t: Test, { app, nodes }: RaceTrack, races: number): Promise<void> {
  const alive: string[] = []
  const delays: number[] = []
  const seen = { granted: 0, refused: 0, turnedAway: 0 }
  await inParallel(times(races, (race) => race), lanes, async (race) => {
    const tokens = await enter(app, 'directus', await newPerson(app))
    const [ending, other] = race % 2 === 0 ? nodes : [nodes[1], nodes[0]]
    const refresh = async (node: Node) => {
      await pause(Math.random() * jitterMs)
      return clients.directus.refresh(node, tokens.refreshToken)
    }
    const logOut = async () => {
      await pause(Math.random() * jitterMs)
      const { status } = await call(ending, '/auth/logout', { body: { refresh_token: tokens.refreshToken } })
      return { status, at: performance.now() }
    }
    const [ended, ...answers] = await Promise.all([logOut(), refresh(ending), refresh(other)])
    const granted = answers.filter(({ status }) => status === 200).map((answer) => clients.directus.tokensOf(answer))
    seen.granted += granted.length
    seen.refused += answers.filter(({ status }) => status === 401).length
    // Only what was acknowledged counts.
    if (ended.status !== 204) {
      seen.turnedAway += 1
      return
    }
    for (const one of [tokens, ...granted]) alive.push(...(await survivors(ending, other, one, delays, ended.at)))
  })
  t.comment(`${races} logouts: ${seen.granted} refreshes got in before, ${seen.refused} were refused, ${seen.turnedAway} logouts turned away; dead on the other node after ${quantile(delays, 0.5).toFixed(1)} ms (median), ${quantile(delays, 0.99).toFixed(1)} ms (p99)`)
  t.same(alive, [])
  t.ok(seen.granted > 0 && seen.refused > 0, 'some refreshes were before the logout, and some after it')
}

async function survivors(ending: Node, other: Node, { accessToken, refreshToken }: Tokens, delays: number[], endedAt: number): Promise<string[]> {
  const alive: string[] = []
  if ((await verifyStatus(ending, accessToken)) !== 401) alive.push('an access token, on the node that acknowledged')
  if (!Number.isFinite(await untilAnswer(() => verifyStatus(other, accessToken), 401, 5000))) alive.push('an access token, on the other node')
  delays.push(performance.now() - endedAt)
  for (const node of [ending, other]) {
    const { status } = await clients.directus.refresh(node, refreshToken)
    if (status !== 401) alive.push(`a refresh token (${status})`)
  }
  return alive
}

/** As many refreshes with one token as are asked for, spread over all nodes, at once. */
export async function refreshAllAtOnce(t: Test, { app, nodes }: { readonly app: RaceTrack['app']; readonly nodes: readonly Node[] }, refreshes: number): Promise<void> {
  const first = await enter(app, 'directus', await newPerson(app))
  const changesBefore = await rowChanges(app)
  const startedAt = performance.now()
  const answers = await Promise.all(times(refreshes, (index) => clients.directus.refresh(nodes[index % nodes.length] ?? app, first.refreshToken)))
  const tookMs = performance.now() - startedAt
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]), 'every one is answered')
  t.equal(new Set(answers.map((answer) => clients.directus.tokensOf(answer).refreshToken)).size, 1, 'with one and the same successor')
  const database = await app.database.client()
  const { rows } = await database.query<object>('SELECT generation, revoked_at FROM sessions WHERE id = $1', [String(claimsOf(first.accessToken).sid)])
  t.strictSame(rows.map((row) => ({ ...row })), [{ generation: 1, revoked_at: null }])
  t.equal((await rowChanges(app)) - changesBefore, 1, 'the row was changed once')
  t.comment(`${refreshes} refreshes with one token over ${nodes.length} nodes: ${Math.round(tookMs)} ms`)
}

/** What the trigger has counted. */
async function rowChanges({ database }: RaceTrack['app']): Promise<number> {
  const client = await database.client()
  const { rows: [row] } = await client.query<{ changes: number }>('SELECT coalesce(sum(changes), 0)::int AS changes FROM session_changes')
  return row?.changes ?? 0
}

/** Counts every change of a session, whoever makes it and whether or not the value differs. */
export const countSessionChanges = `
  CREATE TABLE session_changes (changes integer NOT NULL);
  CREATE FUNCTION count_session_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO session_changes VALUES (1); RETURN NULL; END $$;
  CREATE TRIGGER count_session_changes AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION count_session_change()`

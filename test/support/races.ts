import { setTimeout as pause } from 'node:timers/promises'
import type { Test } from 'tap'
import type { TestApp } from './app.js'
import { call, type Answer } from './auth-client.js'
import { clients, enter, isLive, newPerson, sessionIdOf, untilDead, type Person, type Tokens } from './dialect-clients.js'
import { times } from './repository.js'
import { inParallel } from './statistics.js'

/** Where requests go, and where it is looked up what became of them. */
export interface RaceTrack {
  readonly app: TestApp
  /** Two of them, over the database of `app`. */
  readonly nodes: readonly [Node, Node]
}

type Node = Pick<TestApp, 'url' | 'config'>

const lanes = 8

/** Runs so many races, some of them side by side: each lane has people of its own. */
const run = (races: number, lane: (races: number) => Promise<void>): Promise<void> =>
  inParallel(times(lanes, (index) => Math.floor((races + index) / lanes)), lanes, lane)

/** Both nodes get the refresh token twice in the same moment; the next race is for its successor. */
export async function raceForOneToken(t: Test, { app, nodes: [a, b] }: RaceTrack, races: number): Promise<void> {
  const wrong: string[] = []
  let won = 0
  await run(races, async (racesHere) => {
    const database = await app.database.client()
    let tokens = await enter(app, 'directus', await newPerson(app))
    for (let generation = 1; generation <= racesHere; generation += 1) {
      const answers = await Promise.all([a, b, a, b].map((node) => askAgain(() => clients.directus.refresh(node, tokens.refreshToken))))
      const granted = answers.filter(({ status }) => status === 200).map((answer) => clients.directus.tokensOf(answer))
      const successors = new Set(granted.map(({ refreshToken }) => refreshToken))
      if (granted.length < answers.length) wrong.push(String(answers.map(({ status, text }) => (status === 200 ? 200 : `${status} ${text}`))))
      if (successors.size !== 1) wrong.push(`${successors.size} successors`)
      tokens = granted[0] ?? tokens
      won += 1
      const { rows } = await database.query<object>('SELECT generation, revoked_at FROM sessions WHERE id = $1', [sessionIdOf(tokens)])
      if (JSON.stringify(rows) !== JSON.stringify([{ generation, revoked_at: null }])) wrong.push(JSON.stringify(rows))
    }
  })
  t.comment(`${won} races of four refreshes with one token`)
  t.same(wrong, [])
}

const triesWhenTurnedAway = 20
const pauseWhenTurnedAwayMs = 200

/** As a client does that is told `503`, `Retry-After`: on a machine that is busy with other things a node turns some away. */
async function askAgain(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = triesWhenTurnedAway; ; tries -= 1) {
    const answer = await ask()
    if (answer.status !== 503 || tries === 0) return answer
    await pause(pauseWhenTurnedAwayMs)
  }
}

/** How far apart the two sides of a race set off at most: about as long as what they do takes. Milliseconds. */
const jitterMs = 10

/** The password is changed through one node while both get logins with the old one. Nothing that these opened lives on. */
export async function raceAgainstPasswordChange(t: Test, track: RaceTrack, races: number): Promise<void> {
  const alive: string[] = []
  const seen = { openedBefore: 0, refused: 0, turnedAway: 0 }
  await run(races, async (racesHere) => {
    let lane = await beginLane(track)
    for (let race = 0; race < racesHere; race += 1) {
      const { changed, opened, refused } = await raceOnce(track, lane, race)
      seen.openedBefore += opened.length
      seen.refused += refused
      if (changed === null) {
        seen.turnedAway += 1
        lane = await beginLane(track)
        continue
      }
      alive.push(...(await survivors(track, changed, opened)))
      if (!(await isLive(changed, lane.tokens))) alive.push('the session that changed the password has ended')
      lane = { ...lane, person: { ...lane.person, password: lane.next }, next: lane.person.password }
    }
  })
  t.comment(`${races} changes of password: ${seen.openedBefore} logins with the old one got in before, ${seen.refused} were refused, ${seen.turnedAway} changes turned away`)
  t.same(alive, [])
  t.ok(seen.openedBefore > 0 && seen.refused > 0, 'some logins were before the change, and some after it')
}

interface Lane {
  readonly person: Person
  /** Of the session that changes the password, and lives on. */
  readonly tokens: Tokens
  readonly next: string
}

async function beginLane({ app, nodes: [a] }: RaceTrack): Promise<Lane> {
  const person = await newPerson(app)
  return { person, tokens: await enter(a, 'bearer', person), next: 'another horse battery staple' }
}

async function raceOnce({ nodes }: RaceTrack, { person, tokens, next }: Lane, race: number) {
  const changing = nodes[race % 2] ?? nodes[0]
  const change = async (): Promise<Answer> => {
    await pause(Math.random() * jitterMs)
    return call(changing, '/users/me/password', { body: { current: person.password, new: next }, headers: { authorization: `Bearer ${tokens.accessToken}` } })
  }
  const logIn = async (node: Node): Promise<Answer> => {
    await pause(Math.random() * jitterMs * 2)
    return clients.bearer.login(node, person)
  }
  const [changed, ...logins] = await Promise.all([change(), ...nodes.map(logIn)])
  return {
    /** The node that has acknowledged the change. */
    changed: changed.status === 204 ? changing : null,
    opened: logins.filter(({ status }) => status === 200).map((answer) => clients.bearer.tokensOf(answer)),
    refused: logins.filter(({ status }) => status === 401).length,
  }
}

/** What of these still gets anywhere: at once on the node that answered, on the other within the lag that is allowed. */
async function survivors({ nodes }: RaceTrack, changed: Node, opened: readonly Tokens[]): Promise<string[]> {
  const alive: string[] = []
  for (const tokens of opened) {
    if (await isLive(changed, tokens)) alive.push('an access token, on the node that acknowledged the change')
    for (const node of nodes) {
      await untilDead(node, tokens)
      const { status } = await clients.bearer.refresh(node, tokens.refreshToken)
      if (status !== 401) alive.push(`a refresh token (${status})`)
    }
  }
  return alive
}

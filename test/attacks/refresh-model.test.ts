import fc from 'fast-check'
import t from 'tap'
import { AuthError } from '../../src/domain/errors.js'
import type { Grant } from '../../src/domain/grants.js'
import type { User } from '../../src/domain/model.js'
import { startTestApp, type TestApp } from '../support/app.js'
import { auditCount } from '../support/auth-client.js'
import { testOrigin } from '../support/log-in.js'
import { runs, within } from '../support/properties.js'
import { openSession } from '../support/sessions.js'

/**
 * Whatever clients, thieves and the time do to sessions, in whatever order and on whichever of two nodes: what the service
 * answers is what this small model of the rotation table says.
 */
const day = 86_400
const graceSeconds = 60
const absoluteSeconds = 30 * day

/** One dialect whose clients may keep their first token, one that is strict and has an idle end. */
const kinds = { bearer: { isStatic: true, idleSeconds: Infinity }, directus: { isStatic: false, idleSeconds: 7 * day } } as const
type Kind = keyof typeof kinds

const first = await startTestApp(t)
const nodes = [first, await startTestApp(t, { database: first.database, clock: first.clock })] as const
const user = await first.createUser({ username: 'jane', email: 'jane@example.com' })

type Step =
  | { readonly do: 'login' }
  /** `back` generations behind the newest token that anybody has. */
  | { readonly do: 'refresh' | 'race' | 'forge' | 'elsewhere'; readonly session: number; readonly back: number; readonly node: 0 | 1 }
  | { readonly do: 'logout'; readonly session: number; readonly back: number; readonly node: 0 | 1 }
  | { readonly do: 'wait'; readonly seconds: number }

const session = fc.nat(2)
const back = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(4) })
const node = fc.constantFrom<(0 | 1)[]>(0, 1)
const onSession = <const Name extends string>(name: Name) => fc.record({ do: fc.constant(name), session, back, node })

/** In steps of 20 s, so that the moments that pass by themselves decide nothing. */
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('login' as const) }) },
  { weight: 9, arbitrary: onSession('refresh') },
  { weight: 2, arbitrary: onSession('race') },
  { weight: 1, arbitrary: onSession('forge') },
  { weight: 1, arbitrary: onSession('elsewhere') },
  { weight: 1, arbitrary: onSession('logout') },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(20, 20, 40, 80, 3600, 3 * day, 6 * day, 8 * day) }) },
)

/** What the contract says of one session, and nothing of how it is done. */
class Model {
  /** By generation. */
  readonly tokens: string[]
  readonly accessTokens: string[] = []
  isOver = false
  #generation = 0
  #age = 0
  #sinceRotation = Infinity
  #sinceUse = 0

  constructor(readonly kind: Kind, grant: Grant) {
    this.tokens = [grant.refreshToken]
    this.accessTokens.push(grant.accessToken)
  }

  pass(seconds: number): void {
    this.#age += seconds
    this.#sinceRotation += seconds
    this.#sinceUse += seconds
    if (this.#age >= absoluteSeconds || this.#sinceUse >= kinds[this.kind].idleSeconds) this.isOver = true
  }

  /** @returns the generation whose token is the answer, or why there is none */
  present(g: number): number | 'refused' | 'theft' {
    if (this.isOver) return 'refused'
    if (g === this.#generation) {
      this.#generation += 1
      this.#sinceRotation = 0
      this.#sinceUse = 0
      return this.#generation
    }
    const isPredecessor = g === this.#generation - 1
    if (isPredecessor && (this.#sinceRotation < graceSeconds || (g === 0 && kinds[this.kind].isStatic))) return this.#generation
    this.isOver = true
    return 'theft'
  }
}

const isDead = async (on: TestApp, token: string): Promise<boolean> => {
  try {
    await on.app.identity.authenticate({ kind: 'access_token', token, via: 'header' })
    return false
  } catch (error) {
    if (error instanceof AuthError && (error.code === 'access_token_invalid' || error.code === 'access_token_expired')) return true
    throw error
  }
}

async function refresh(on: TestApp, kind: Kind, token: string): Promise<Grant | 'refused'> {
  try {
    return await on.app.identity.refresh({ dialect: on.app.dialectPolicies[kind], token, origin: testOrigin })
  } catch (error) {
    if (error instanceof AuthError && error.code === 'refresh_invalid') return 'refused'
    throw error
  }
}

function insist(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what)
}

/** The answer to a refresh is the model's. */
async function agree(on: TestApp, model: Model, due: number | 'refused' | 'theft', answer: Grant | 'refused'): Promise<void> {
  if (typeof due === 'string') {
    insist(answer === 'refused', `${due} was due, and it was granted`)
    if (due === 'theft') for (const token of model.accessTokens) insist(await isDead(on, token), 'an access token outlived the theft')
    return
  }
  insist(answer !== 'refused', `generation ${due} was due, and it was refused`)
  const known = model.tokens[due]
  insist(known === undefined || known === answer.refreshToken, `generation ${due} has two tokens`)
  model.tokens[due] = answer.refreshToken
  model.accessTokens.push(answer.accessToken)
  insist(!(await isDead(on, answer.accessToken)), 'the new access token is dead')
}

const flipped = (token: string): string => token.slice(0, -2) + (token.endsWith('AA') ? 'BB' : 'AA')

async function play(kind: Kind, owner: User, steps: readonly Step[]): Promise<boolean> {
  const sessions = [new Model(kind, await openSession(first, owner, kind))]
  let thefts = 0
  const before = await auditCount(first, 'refresh_reused')
  for (const one of steps) {
    if (one.do === 'login') {
      if (sessions.length < 3) sessions.push(new Model(kind, await openSession(first, owner, kind)))
    } else if (one.do === 'wait') {
      await first.clock.advance(one.seconds)
      for (const model of sessions) model.pass(one.seconds)
    } else {
      const model = sessions[one.session % sessions.length]
      insist(model !== undefined, 'no session')
      const on = nodes[one.node]
      const g = Math.max(0, model.tokens.length - 1 - one.back)
      const token = model.tokens[g] ?? ''
      if (one.do === 'forge') {
        insist((await refresh(on, kind, flipped(token))) === 'refused', 'a forged token was granted')
      } else if (one.do === 'elsewhere') {
        insist((await refresh(on, kind === 'bearer' ? 'directus' : 'bearer', token)) === 'refused', 'granted to another dialect')
      } else if (one.do === 'logout') {
        await on.app.identity.logoutByRefreshToken(kind, token, testOrigin)
        model.isOver = true
        for (const access of model.accessTokens) insist(await isDead(on, access), 'an access token outlived the logout')
      } else {
        const due = model.present(g)
        if (due === 'theft') thefts += 1
        if (one.do === 'refresh') {
          await agree(on, model, due, await refresh(on, kind, token))
        } else {
          const answers = await Promise.all([on, nodes[1 - one.node] ?? on, on].map((each) => refresh(each, kind, token)))
          // Whoever of them comes late finds the predecessor, within the window.
          for (const answer of answers) await agree(on, model, due, answer)
        }
      }
    }
  }
  insist((await auditCount(first, 'refresh_reused')) - before === thefts, 'one event for every theft')
  return true
}

for (const kind of ['bearer', 'directus'] as const) {
  await t.test(`case 17: case 18: case 24: case 26: ${kind}: sessions do what the rotation table says, whatever happens to them`, async (t) => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), within(4, (steps) => play(kind, user, steps))), runs(60))
    t.pass('the model agrees')
  })
}

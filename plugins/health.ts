import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Clock } from '../src/domain/ports.js'
import type { SigningKeys } from '../src/domain/signing-keys.js'

/** What a node needs to be worth sending requests to. */
const checkNames = ['database', 'migrations', 'keys', 'revocations', 'clock'] as const
type CheckName = (typeof checkNames)[number]

/** It names what is wrong and reveals nothing about it: the why is in the log. */
export interface Readiness {
  readonly status: 'ok' | 'failed' | 'closing'
  readonly checks: Readonly<Record<CheckName, 'ok' | 'failed'>>
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether this node should be sent requests. What was found stands for a second: probes cannot flood the database. */
    readiness(): Promise<Readiness>
  }
}

export interface HealthOptions {
  readonly clock: Clock
  readonly database: DatabaseProbe
  readonly signingKeys: Pick<SigningKeys, 'current'>
  readonly revocations: { isFresh(): boolean }
  /** Milliseconds, monotonic. */
  readonly now?: () => number
}

export interface DatabaseProbe {
  time(): Promise<Date>
  /** The names of those that the database lacks. */
  pendingMigrations(): Promise<readonly string[]>
}

/** Throws, or takes too long, when something is wrong. */
type Check = () => unknown

const standsForMs = 1000
const longestCheckMs = 1000
const largestClockDifferenceMs = 5000

function healthPlugin(app: FastifyInstance, options: HealthOptions, done: () => void): void {
  const examine = standing(standsForMs, options.now ?? (() => performance.now()), () => failuresOf(checksOf(options)))
  let isClosing = false
  let reported = ''
  app.addHook('preClose', (next) => {
    isClosing = true
    next()
  })

  /** One line for every change, not for every probe. */
  function report(failures: Failures): void {
    const names = [...failures.keys()].join()
    if (isClosing || names === reported) return
    reported = names
    if (failures.size === 0) app.log.info('ready again')
    for (const [check, error] of failures) app.log.warn({ check, err: error }, 'not ready')
  }

  app.decorate('readiness', async () => {
    const failures = await examine()
    report(failures)
    const status = failures.size === 0 ? 'ok' : 'failed'
    return { status: isClosing ? 'closing' : status, checks: summaryOf(failures) }
  })
  done()
}

function checksOf({ clock, database, signingKeys, revocations }: HealthOptions): Readonly<Record<CheckName, Check>> {
  const clockDifference = clockDifferenceMs(clock, database)
  return {
    database: () => clockDifference,
    migrations: async () => {
      const [pending] = await database.pendingMigrations()
      if (pending !== undefined) throw new Error(`the database lacks migration ${pending}`)
    },
    keys: () => signingKeys.current(),
    revocations: () => {
      if (!revocations.isFresh()) throw new Error('the news of revocations is too old')
    },
    clock: async () => {
      const ms = await clockDifference
      if (ms > largestClockDifferenceMs) throw new Error(`the clock differs from the database's by ${Math.round(ms)} ms`)
    },
  }
}

/** At least so much: the database's answer was true at some moment between question and answer. */
async function clockDifferenceMs(clock: Clock, database: DatabaseProbe): Promise<number> {
  const askedAt = clock.now().getTime()
  const time = (await database.time()).getTime()
  return Math.max(askedAt - time, time - clock.now().getTime(), 0)
}

type Failures = ReadonlyMap<CheckName, Error>

async function failuresOf(checks: Readonly<Record<CheckName, Check>>): Promise<Failures> {
  const failures = await Promise.all(checkNames.map(async (name) => [name, await failureOf(checks[name])] as const))
  return new Map(failures.flatMap(([name, error]) => (error === null ? [] : [[name, error]])))
}

async function failureOf(check: Check): Promise<Error | null> {
  try {
    await withinMs(longestCheckMs, Promise.resolve().then(check))
    return null
  } catch (error) {
    return error instanceof Error ? error : new Error('the check failed')
  }
}

function withinMs(ms: number, work: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${ms} ms`))
    }, ms)
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer)
    })
  })
}

function summaryOf(failures: Failures): Readiness['checks'] {
  const of = (name: CheckName) => (failures.has(name) ? 'failed' : 'ok')
  return { database: of('database'), migrations: of('migrations'), keys: of('keys'), revocations: of('revocations'), clock: of('clock') }
}

/** Asks once for all who ask at the same time, and lets the answer stand for a while. */
function standing<T>(ms: number, now: () => number, ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null
  let staleAt = Infinity
  return () => {
    if (answer !== null && now() < staleAt) return answer
    staleAt = Infinity
    answer = ask().finally(() => {
      staleAt = now() + ms
    })
    return answer
  }
}

export default fp(healthPlugin, { name: 'health' })

import t from 'tap'
import { v7 as uuidv7 } from 'uuid'
import type { DialectName } from '../../src/domain/model.js'
import { setStatus } from '../../src/domain/operators.js'
import { hashPin } from '../../src/domain/passwords.js'
import { startTestApp } from '../support/app.js'
import { everyDialect } from '../support/dialect-clients.js'
import { knock, loginDoors } from '../support/login-doors.js'
import { startNodeProcess } from '../support/node-process.js'
import { quantile } from '../support/statistics.js'

/** What hashes cost in earnest. */
const cost = { ARGON2_MEMORY_KIB: '19456', ARGON2_TIME: '2' }
const here = await startTestApp(t, { environment: cost })
const { repository, hasher, keyring } = here.core.service
const node = await startNodeProcess(t, { database: here.database, environment: { ...cost, RATE_LIMIT: 'off' } })

const samples = 300
/** Three wrong guesses at each name: short of what locks it. */
const guesses = 3
const longestDifferenceMs = 2
const largestAuc = 0.55
/** Of two equal distributions one set of samples in thirty is that far apart: then there are more, and all of them count. */
const rounds = 3

const fairness = { address: 'test', account: 'test' }
const passwordHash = await hasher.hash('correct horse battery staple', fairness)
const pin = await hashPin(hasher, keyring, '824613', fairness)
let people = 0

interface Name {
  readonly id: string
  readonly username: string
  readonly email: string
}

const newName = (): Name => {
  people += 1
  const username = `somebody${people}`
  return { id: uuidv7(), username, email: `${username}@example.com` }
}

/** Everybody has the same secrets: made once, they cost a second and not a minute. */
async function newUser(withSecrets = true): Promise<Name> {
  const name = newName()
  const { id, username, email } = name
  await repository.users.insert({ id, username: { given: username, canonical: username, folded: username }, email: { given: email, canonical: email, folded: email }, role: 'user' })
  if (withSecrets) await repository.credentials.setPassword(id, passwordHash)
  if (withSecrets) await repository.credentials.setPin(id, pin)
  return name
}

/** How long a refusal takes. Milliseconds. */
async function refusalMs(dialect: DialectName, { username, email }: Name): Promise<number> {
  const { identifier, secret, refusal } = loginDoors[dialect]
  const body = { [identifier]: identifier === 'email' ? email : username, [secret]: '99887766' }
  const startedAt = performance.now()
  const { status } = await knock(node, dialect, body)
  const tookMs = performance.now() - startedAt
  if (status !== refusal[0]) throw new Error(`${dialect} answered ${status}`)
  return tookMs
}

/** How well one sample tells which of the two it is of: 0.5 is not at all. */
function auc(one: readonly number[], other: readonly number[]): number {
  const wins = one.reduce((sum, a) => sum + other.reduce((count, b) => count + (a > b ? 1 : a === b ? 0.5 : 0), 0), 0)
  const share = wins / (one.length * other.length)
  return Math.max(share, 1 - share)
}

const shown = (times: readonly number[]): string => `${quantile(times, 0.5).toFixed(2)} ms median, ${quantile(times, 0.9).toFixed(2)} ms p90`

interface Pair {
  readonly one: () => Promise<Name>
  readonly other: () => Promise<Name>
}

/** Takes turns, in an order that is drawn, so that whatever else the machine does falls on both alike. */
async function interleave(dialect: DialectName, { one, other }: Pair, count: number, times: readonly [number[], number[]]): Promise<void> {
  for (let i = 0; i < count / guesses; i += 1) {
    const names = [await one(), await other()] as const
    for (let guess = 0; guess < guesses; guess += 1) {
      for (const which of Math.random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const)) times[which].push(await refusalMs(dialect, names[which]))
    }
  }
}

const stranger = (): Promise<Name> => Promise.resolve(newName())

for (const dialect of everyDialect) {
  await t.test(`case 29: ${dialect}: the time of a refusal does not tell whether the user exists`, { timeout: 240_000 }, async (t) => {
    const times = [[], []] as [number[], number[]]
    const [known, unknown] = times
    const differenceMs = () => Math.abs(quantile(known, 0.5) - quantile(unknown, 0.5))
    const tellsApart = () => differenceMs() > longestDifferenceMs || auc(known, unknown) > largestAuc
    await interleave(dialect, { one: () => newUser(), other: stranger }, 12, [[], []])
    for (let round = 0; round < rounds && (round === 0 || tellsApart()); round += 1) await interleave(dialect, { one: () => newUser(), other: stranger }, samples, times)
    t.comment(`${dialect}: known ${shown(known)}; unknown ${shown(unknown)}; AUC ${auc(known, unknown).toFixed(3)} of ${known.length} samples each`)
    t.ok(differenceMs() <= longestDifferenceMs, 'the medians')
    t.ok(auc(known, unknown) <= largestAuc, 'the distributions')
  })
}

await t.test('case 29: nor whether the account is suspended, locked or without that credential', { timeout: 240_000 }, async (t) => {
  const others: Record<string, () => Promise<Name>> = {
    suspended: async () => {
      const name = await newUser()
      await setStatus(here.core.service, name.id, 'suspended', { kind: 'service', id: 'test' })
      return name
    },
    locked: async () => {
      const name = await newUser()
      await here.core.pool.query(`INSERT INTO attempts (subject, origin, failures, locked_until, updated_at) VALUES ($1, 'unknown', 9, now() + interval '1 hour', now())`, [name.id])
      return name
    },
    'without that credential': () => newUser(false),
  }
  for (const [what, one] of Object.entries(others)) {
    const times = [[], []] as [number[], number[]]
    for (let round = 0; round < rounds && (round === 0 || auc(...times) > 0.62); round += 1) await interleave('bearer', { one, other: stranger }, 60, times)
    t.comment(`${what}: ${shown(times[0])}; unknown ${shown(times[1])}; AUC ${auc(...times).toFixed(3)} of ${times[0].length} samples each`)
    t.ok(auc(...times) <= 0.62, what)
  }
})

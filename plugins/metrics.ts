import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { HashQueue } from '../src/domain/hash-queue.js'
import { dialectNames, type DialectName } from '../src/domain/model.js'
import { closedCounter, closedSums } from '../src/http/closed-counter.js'
import type { Connections } from '../src/http/connections.js'
import { rateClasses } from './rate-limit.js'

/**
 * What `GET /metrics` tells: sums over everybody. A label has few values, all of them written in this house: never a name,
 * an id, an address, a URL or anything else that came with a request.
 */
export interface Metrics {
  /** In the text format of Prometheus. */
  text(): Promise<string>
  readonly contentType: string
  /** @param read at every scrape */
  gauge(name: string, help: string, read: () => number): void
  /** What the database must be asked: the answer stands for a while, so that nobody floods it through here; without one there is no value. */
  slowGauge(name: string, help: string, read: () => Promise<number>): void
  watchHashes(queue: HashQueue): void
  watchConnections(connections: Connections): void
  countLogin(dialect: DialectName, outcome: LoginOutcome): void
  countRefresh(dialect: DialectName, outcome: RefreshOutcome): void
  /** A refresh token used from another network than its successor. */
  countCrossing(dialect: DialectName): void
}

/**
 * Why a login was refused is not told: whoever could read it beside a guess of theirs would learn whether the name exists, the
 * password was right and only the code was wrong, or the account is locked.
 */
const loginOutcomes = ['succeeded', 'refused', 'unavailable'] as const
export type LoginOutcome = (typeof loginOutcomes)[number]
const refreshOutcomes = ['rotated', 'grace', 'static', 'reused', 'invalid', 'unavailable'] as const
export type RefreshOutcome = (typeof refreshOutcomes)[number]
const hashRejections = ['full', 'late'] as const
const statusClasses = ['2xx', '3xx', '4xx', '5xx'] as const

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}

/** Answers from memory take a millisecond, logins a hash, and nothing more than ten seconds. */
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const waitBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const slowGaugeStandsMs = 5000
/** A gauge needs a number where there was no news yet. */
const longestSeconds = 86_400

function metricsPlugin(app: FastifyInstance, _options: object, done: () => void): void {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  // Which version of Node this is helps nobody but who looks for its holes.
  registry.removeSingleMetric('nodejs_version_info')
  const registers = [registry]

  const durations = new Histogram({ name: 'tessera_http_request_duration_seconds', help: 'From the first byte of a request to the last of its answer.', labelNames: ['method', 'route', 'dialect', 'status'], buckets: durationBuckets, registers })
  const answers = { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 }
  closedSums({ name: 'tessera_http_answers_total', help: 'Answers, by class of their status.', label: 'status', sums: answers, registry })
  const countLimited = closedCounter({ name: 'tessera_rate_limited_total', help: 'Requests answered with 429.', labels: { class: rateClasses }, registry })
  const countLogin = closedCounter({ name: 'tessera_logins_total', help: 'Logins.', labels: { dialect: dialectNames, outcome: loginOutcomes }, registry })
  const countRefresh = closedCounter({ name: 'tessera_refreshes_total', help: 'Refreshes.', labels: { dialect: dialectNames, outcome: refreshOutcomes }, registry })
  const countCrossing = closedCounter({ name: 'tessera_refresh_crossings_total', help: 'Refresh tokens that were used again from another network than their successor.', labels: { dialect: dialectNames }, registry })

  app.addHook('onResponse', (request, reply, next) => {
    durations.observe(labelsOf(request, reply), reply.elapsedTime / 1000)
    const answered = statusClasses[Math.floor(reply.statusCode / 100) - 2]
    if (answered !== undefined) answers[answered] += 1
    if (request.errorCode === 'too_many_requests') countLimited({ class: request.rateClass ?? 'default' })
    next()
  })

  app.decorate('metrics', {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    gauge(name, help, read) {
      new Gauge({ name, help, registers, collect() { this.set(Math.min(read(), longestSeconds)) } })
    },
    slowGauge(name, help, read) {
      const readSeldom = remembering(read, slowGaugeStandsMs)
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          const value = await readSeldom()
          if (value === null) this.remove()
          else this.set(value)
        },
      })
    },
    watchHashes(queue) {
      new Gauge({ name: 'tessera_hash_running', help: 'Hashes at work.', registers, collect() { this.set(queue.running) } })
      new Gauge({ name: 'tessera_hash_waiting', help: 'Who waits for a hash.', registers, collect() { this.set(queue.waiting) } })
      const waits = new Histogram({ name: 'tessera_hash_wait_seconds', help: 'How long a hash waited for its turn.', buckets: waitBuckets, registers })
      const countRejection = closedCounter({ name: 'tessera_hash_rejected_total', help: 'Turned away: the queue was full, or the wait too long.', labels: { reason: hashRejections }, registry })
      queue.observe({
        onStart: (seconds) => { waits.observe(seconds) },
        onReject: (reason) => { countRejection({ reason }) },
      })
    },
    watchConnections({ ended }) {
      closedSums({ name: 'tessera_connections_ended_total', help: 'Connections that the service ended before their time: too many requests without an answer, answers that were not read, too many connections of one address.', label: 'reason', sums: ended, registry })
    },
    countLogin: (dialect, outcome) => { countLogin({ dialect, outcome }) },
    countRefresh: (dialect, outcome) => { countRefresh({ dialect, outcome }) },
    countCrossing: (dialect) => { countCrossing({ dialect }) },
  })
  app.addHook('onClose', (_app, closed) => {
    registry.clear()
    closed()
  })
  done()
}

/** The pattern of the route, never the URL. */
function labelsOf(request: FastifyRequest, reply: FastifyReply) {
  const route = request.is404 ? 'unmatched' : (request.routeOptions.url ?? 'unmatched')
  return { method: request.method, route, dialect: dialectOf(request, route), status: reply.statusCode }
}

const dialectPrefixes: readonly (readonly [prefix: string, dialect: DialectName])[] = [['/api/v1/', 'bearer'], ['/v1/', 'tokenset']]

/** Behind the door on /auth it is known once one was chosen. */
function dialectOf({ errorShape }: FastifyRequest, route: string): DialectName | 'none' {
  const chosen = dialectNames.find((name) => name === errorShape?.name)
  return chosen ?? dialectPrefixes.find(([prefix]) => route.startsWith(prefix))?.[1] ?? 'none'
}

/** One question at a time, and one in a while; null while there is no answer. */
function remembering(read: () => Promise<number>, standsMs: number): () => Promise<number | null> {
  let value: Promise<number | null> = Promise.resolve(null)
  let askedAt = -Infinity
  return () => {
    if (performance.now() - askedAt < standsMs) return value
    askedAt = performance.now()
    value = read().catch(() => null)
    return value
  }
}

export default fp(metricsPlugin, { name: 'metrics', dependencies: ['errors'] })

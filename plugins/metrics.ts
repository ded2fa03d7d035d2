import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { HashQueue } from '../src/domain/hash-queue.js'
import { dialectNames, type DialectName } from '../src/domain/model.js'

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
  countLogin(dialect: DialectName, outcome: LoginOutcome): void
  countRefresh(dialect: DialectName, outcome: RefreshOutcome): void
  /** A refresh token used from another network than its successor. */
  countCrossing(dialect: DialectName): void
}

/**
 * Why a login was refused is not told: whoever could read it beside a guess of theirs would learn whether the name exists, the
 * password was right and only the code was wrong, or the account is locked.
 */
export type LoginOutcome = 'succeeded' | 'refused' | 'unavailable'
export type RefreshOutcome = 'rotated' | 'grace' | 'static' | 'reused' | 'invalid' | 'unavailable'

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
  const limited = new Counter({ name: 'tessera_rate_limited_total', help: 'Requests answered with 429.', labelNames: ['class'], registers })
  const logins = new Counter({ name: 'tessera_logins_total', help: 'Logins.', labelNames: ['dialect', 'outcome'], registers })
  const refreshes = new Counter({ name: 'tessera_refreshes_total', help: 'Refreshes.', labelNames: ['dialect', 'outcome'], registers })
  const crossings = new Counter({ name: 'tessera_refresh_crossings_total', help: 'Refresh tokens that were used again from another network than their successor.', labelNames: ['dialect'], registers })
  for (const dialect of dialectNames) crossings.inc({ dialect }, 0)

  app.addHook('onResponse', (request, reply, next) => {
    durations.observe(labelsOf(request, reply), reply.elapsedTime / 1000)
    if (request.errorCode === 'too_many_requests') limited.inc({ class: request.routeOptions.config.rateClass ?? 'default' })
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
      const rejections = new Counter({ name: 'tessera_hash_rejected_total', help: 'Turned away: the queue was full, or the wait too long.', labelNames: ['reason'], registers })
      for (const reason of ['full', 'late'] as const) rejections.inc({ reason }, 0)
      queue.observe({
        onStart: (seconds) => { waits.observe(seconds) },
        onReject: (reason) => { rejections.inc({ reason }) },
      })
    },
    countLogin: (dialect, outcome) => { logins.inc({ dialect, outcome }) },
    countRefresh: (dialect, outcome) => { refreshes.inc({ dialect, outcome }) },
    countCrossing: (dialect) => { crossings.inc({ dialect }) },
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

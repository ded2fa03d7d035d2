import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { claimsOf } from '../support/auth-client.js'
import { startNodeProcess } from '../support/node-process.js'
import { skipWithoutNginx as skip, startNginx } from '../support/nginx.js'
import { times } from '../support/repository.js'
import { openSession } from '../support/sessions.js'
import { quantile } from '../support/statistics.js'

const sessions = 12
const loginsPerMinute = 4

interface Reply {
  readonly status: number
  readonly json: Readonly<Record<string, unknown>>
}

/** From an address of its own: nginx sees it, and the nodes see what nginx says. */
function ask(url: string, path: string, body: unknown, options: { from?: string; headers?: Record<string, string>; method?: string } = {}): Promise<Reply> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const headers = { ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...options.headers }
  return new Promise((resolve, reject) => {
    const request = http.request(url + path, { method: options.method ?? 'POST', agent: false, headers, ...(options.from === undefined ? {} : { localAddress: options.from }) }, (response) => {
      let answer = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk))
      response.on('end', () => {
        const isJson = response.headers['content-type']?.includes('json') === true
        resolve({ status: response.statusCode ?? 0, json: isJson ? (JSON.parse(answer) as Readonly<Record<string, unknown>>) : {} })
      })
    })
    request.on('error', reject)
    request.end(text)
  })
}

await t.test('three nodes behind nginx, as the documentation configures it', { skip, timeout: 120_000 }, async (t) => {
  const app = await startTestApp(t)
  const environment = {
    PUBLIC_URL: app.config.publicUrl.href,
    TRUST_PROXY: '127.0.0.1',
    RATE_LIMIT: 'on',
    RATE_LIMIT_LOGIN: `${loginsPerMinute}/min`,
    RATE_LIMIT_REFRESH: '1000000/min',
    RATE_LIMIT_DEFAULT: '1000000/min',
    LOG_LEVEL: 'warn',
  }
  const nodes = await Promise.all(times(3, () => startNodeProcess(t, { database: app.database, environment })))
  const documented = ['127.0.0.1:9154', '127.0.0.1:9155', '127.0.0.1:9156']
  const gateway = await startNginx(t, 'docs/gateways/nginx-fleet.conf', Object.fromEntries(documented.map((address, i) => [address, new URL(nodes[i]?.url ?? '').host])))
  const user = await app.createUser({ username: 'jane', password: 'correct horse' })
  const credentials = { username: 'jane', password: 'correct horse' }

  await t.test('a login at one node is good at every other', async (t) => {
    const { status, json } = await ask(gateway.url, '/api/v1/auth/login', credentials, { from: '127.0.0.10' })
    t.equal(status, 200)
    const headers = { authorization: `Bearer ${String(json.token)}` }
    const throughNginx = nodes.map(() => gateway.url)
    for (const url of [...throughNginx, ...nodes.map((node) => node.url)]) t.equal((await ask(url, '/users/me', undefined, { method: 'GET', headers })).status, 200)
  })

  await t.test('each client is counted by its own address, whatever it says', async (t) => {
    const wrong = { ...credentials, password: 'wrong' }
    const statuses: number[] = []
    for (let i = 0; i < nodes.length * loginsPerMinute; i += 1) statuses.push((await ask(gateway.url, '/api/v1/auth/login', { ...wrong, username: `nobody${i}` }, { from: '127.0.0.2' })).status)
    t.strictSame(new Set(statuses), new Set([401]), 'each node counts by itself, as there is no Redis')
    for (const forwarded of ['127.0.0.9', '10.0.0.1, 127.0.0.9']) {
      t.equal((await ask(gateway.url, '/api/v1/auth/login', credentials, { from: '127.0.0.2', headers: { 'x-forwarded-for': forwarded } })).status, 429)
    }
    t.equal((await ask(gateway.url, '/api/v1/auth/login', credentials, { from: '127.0.0.3' })).status, 200, 'and no other for it')
  })

  await t.test('a node is killed under load: no rotation and no session is lost', async (t) => {
    const [, victim] = nodes
    const lost: string[] = []
    const tookMs: number[] = []
    let repeated = 0
    let stop = false
    const rotate = async (token: string): Promise<string | null> => {
      for (let tries = 0; tries < 200; tries += 1) {
        const startedAt = performance.now()
        const reply = await ask(gateway.url, '/api/v1/auth/refresh', { refreshToken: token }).catch(() => null)
        tookMs.push(performance.now() - startedAt)
        if (reply?.status === 200) return String(reply.json.refreshToken)
        if (reply !== null && reply.status < 500) {
          lost.push(`${reply.status}`)
          return null
        }
        repeated += 1
        await pause(20)
      }
      lost.push('no answer')
      return null
    }
    const grants = await Promise.all(times(sessions, () => openSession(app, user)))
    const storm = Promise.all(grants.map(async (grant) => {
      let acknowledged = 0
      let token: string | null = grant.refreshToken
      while (!stop && token !== null) {
        token = await rotate(token)
        if (token !== null) acknowledged += 1
      }
      return { sessionId: String(claimsOf(grant.accessToken).sid), acknowledged }
    }))
    await pause(1000)
    await victim?.stop('SIGKILL')
    await pause(2000)
    stop = true
    const ledger = await storm
    const { rows } = await app.core.pool.query<{ id: string; generation: number; revoked: boolean }>('SELECT id, generation, revoked_at IS NOT NULL AS revoked FROM sessions')
    t.strictSame(lost, [])
    for (const { sessionId, acknowledged } of ledger) t.strictSame(rows.find(({ id }) => id === sessionId), { id: sessionId, generation: acknowledged, revoked: false })
    const total = ledger.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
    t.comment(`${total} rotations through nginx, a node killed: ${lost.length} lost, ${repeated} sent again by the client; median ${quantile(tookMs, 0.5).toFixed(1)} ms, p99 ${quantile(tookMs, 0.99).toFixed(1)} ms, longest ${quantile(tookMs, 1).toFixed(0)} ms`)
    t.equal((await ask(gateway.url, '/api/v1/auth/login', credentials, { from: '127.0.0.4' })).status, 200, 'and it goes on with two')
  })
})

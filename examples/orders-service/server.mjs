// A service that trusts tessera: it verifies tokens by itself, and forgets them within moments of a logout.
import Fastify from 'fastify'
// Outside of this repository: from '@tessera-id/verify' (README.md).
import { identityOf, tesseraVerify } from '@tessera-id/server/verify'

const { TESSERA_URL = 'http://127.0.0.1:9154', TESSERA_API_KEY = '', WHEN_STALE = 'closed', MAX_LAG_MS = '2000', PORT = '3000' } = process.env

const app = Fastify({ logger: { level: 'warn' } })

await app.register(tesseraVerify, {
  issuer: TESSERA_URL,
  credential: { apiKey: TESSERA_API_KEY },
  whenStale: WHEN_STALE === 'open' || WHEN_STALE === 'introspect' ? WHEN_STALE : 'closed',
  maxLagMs: Number(MAX_LAG_MS),
})

app.get('/orders', { preHandler: app.requireIdentity }, (request) => {
  const { subject, username, email } = identityOf(request)
  return { owner: subject, name: username ?? email, orders: [] }
})

// How old the news of revocations may be: worth an alarm.
app.get('/health', () => ({ revocation_lag_ms: Math.round(app.tessera.lagMs()) }))

// Before this, every token would be refused.
await app.tessera.ready()
console.log(await app.listen({ host: '127.0.0.1', port: Number(PORT) }))
process.on('SIGTERM', () => void app.close())

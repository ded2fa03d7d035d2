import t from 'tap'
import { startTestApp } from '../support/app.js'

interface Operation {
  operationId?: string
  responses?: Record<string, unknown>
}

await t.test('every call is described once, with its errors', async (t) => {
  const { url } = await startTestApp(t)
  const response = await fetch(`${url}/openapi.json`)
  t.equal(response.status, 200)
  const document = (await response.json()) as { openapi: string; paths: Record<string, Record<string, Operation>> }
  t.match(document.openapi, /^3\.1/)
  const expected = ['/auth/login', '/auth/refresh', '/auth/logout', '/api/v1/auth/login', '/api/v1/auth/keys', '/v1/auth', '/v1/auth/refreshtoken', '/users/me', '/verify', '/oauth/token', '/oauth/introspect', '/oauth/revoke', '/revocations', '/.well-known/jwks.json', '/health/ready']
  for (const path of expected) t.ok(document.paths[path], path)
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  const ids = operations.map(({ operationId }) => operationId)
  t.notOk(ids.includes(undefined), 'each has a name')
  t.equal(new Set(ids).size, ids.length, 'and no two the same')
  for (const { operationId, responses } of operations) t.ok(Object.keys(responses ?? {}).length > 0, operationId ?? 'nameless')
})

await t.test('the page to read and try them works offline, under a strict policy', async (t) => {
  const { url } = await startTestApp(t)
  const page = await fetch(`${url}/docs/`)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-security-policy'), /default-src 'none'/)
  t.notMatch(page.headers.get('content-security-policy'), /unsafe/)
  const html = await page.text()
  t.notMatch(html, /(src|href)="https?:/)
  const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => new URL(path, `${url}/docs/`))
  t.ok(assets.length > 2)
  for (const asset of assets) {
    const response = await fetch(asset)
    await response.arrayBuffer() // an answer that nobody reads would hold up the stop
    t.equal(response.status, 200, asset.pathname)
  }
})

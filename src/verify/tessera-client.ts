import { VerificationError, type VerifierOptions } from './options.js'

/** Calls to tessera in this service's own name. */
export interface TesseraClient {
  /** @param path below the base URL, with its query @throws Error when there is no good answer in time */
  getJson(path: string, timeoutMs: number): Promise<unknown>
  postForm(path: string, form: Readonly<Record<string, string>>, timeoutMs: number): Promise<unknown>
  /** Calls that are under way fail: a long poll would hold its connection open. */
  stop(): void
}

const renewBeforeMs = 30_000
const tokenTimeoutMs = 5000

export function createTesseraClient(options: VerifierOptions): TesseraClient {
  const { credential, fetch: call = fetch, now = Date.now } = options
  const baseUrl = (options.baseUrl ?? options.issuer).replace(/\/+$/, '')
  let token: { value: string; renewAt: number } | null = null
  let fetching: Promise<string> | null = null

  const underWay = new Set<AbortController>()

  async function send(path: string, init: RequestInit, timeoutMs: number): Promise<unknown> {
    const abort = new AbortController()
    const timer = setTimeout(() => {
      abort.abort(new Error('tessera did not answer in time'))
    }, timeoutMs)
    underWay.add(abort)
    try {
      const response = await call(`${baseUrl}${path}`, { ...init, signal: abort.signal, redirect: 'error' })
      if (response.ok) return await response.json()
      await response.body?.cancel()
      if (response.status === 401) token = null
      throw new Error(`tessera answered ${response.status} to ${path.split('?', 1)[0] ?? ''}`)
    } finally {
      clearTimeout(timer)
      underWay.delete(abort)
    }
  }

  async function fetchToken(clientId: string, clientSecret: string): Promise<string> {
    const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')
    const body = new URLSearchParams({ grant_type: 'client_credentials' })
    const answer = await send('/oauth/token', { method: 'POST', body, headers: { authorization: `Basic ${basic}` } }, tokenTimeoutMs)
    const { access_token: value, expires_in: seconds } = membersOf(answer)
    if (typeof value !== 'string' || typeof seconds !== 'number') throw new Error('tessera gave no token')
    token = { value, renewAt: now() + Math.max(seconds * 1000 - renewBeforeMs, seconds * 500) }
    return value
  }

  async function authorization(): Promise<string> {
    if ('apiKey' in credential) return `Bearer ${credential.apiKey}`
    if (token && now() < token.renewAt) return `Bearer ${token.value}`
    fetching ??= fetchToken(credential.clientId, credential.clientSecret).finally(() => {
      fetching = null
    })
    return `Bearer ${await fetching}`
  }

  return {
    getJson: async (path, timeoutMs) => send(path, { headers: { authorization: await authorization() } }, timeoutMs),
    postForm: async (path, form, timeoutMs) =>
      send(path, { method: 'POST', body: new URLSearchParams(form), headers: { authorization: await authorization() } }, timeoutMs),
    stop() {
      for (const abort of underWay) abort.abort(new Error('the verifier was closed'))
    },
  }
}

/** The members of a JSON object; none of anything else. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
}

export const unavailable = (cause: unknown): VerificationError => new VerificationError('unavailable', 'tessera does not answer: try again', cause)

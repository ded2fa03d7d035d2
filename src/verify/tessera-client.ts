import { VerificationError, type VerifierOptions } from './options.js'

/** Calls to tessera in this service's own name. */
export interface TesseraClient {
  /** @param path below the base URL, with its query @throws TesseraFailure when there is no good answer in time */
  getJson(path: string, timeoutMs: number): Promise<unknown>
  postForm(path: string, form: Readonly<Record<string, string>>, timeoutMs: number): Promise<unknown>
  /** Calls that are under way fail: a long poll would hold its connection open. */
  stop(): void
}

/** What tessera was asked, where, and why there is no good answer: words for whoever operates the service, without a secret. */
export class TesseraFailure extends Error {
  override readonly name = 'TesseraFailure'
  constructor(
    message: string,
    /** Of an answer that was no good one. */
    readonly status: number | null = null,
    /** What `Retry-After` asks for. */
    readonly retryAfterMs = 0,
    cause?: unknown,
  ) {
    super(message, { cause })
  }
}

export type TesseraClientOptions = Pick<VerifierOptions, 'credential' | 'fetch' | 'now'> & { readonly baseUrl: string }

const renewBeforeMs = 30_000
const tokenTimeoutMs = 5000

/** What an answer means to whoever set up the credential. */
const meanings: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  '/oauth/token': { 400: 'it does not take this client', 401: 'it does not know this client, or its secret is another' },
  '/revocations': { 401: 'it does not accept the credential of this service', 403: 'the credential of this service lacks the scope revocations' },
  '/oauth/introspect': { 401: 'it does not accept the credential of this service', 403: 'the credential of this service lacks the scope introspect' },
}

export function createTesseraClient({ credential, baseUrl, fetch: call = fetch, now = Date.now }: TesseraClientOptions): TesseraClient {
  let token: { value: string; renewAt: number } | null = null
  let fetching: Promise<string> | null = null

  const underWay = new Set<AbortController>()

  async function send(path: string, init: RequestInit, timeoutMs: number): Promise<unknown> {
    const place = `${path.split('?', 1)[0] ?? ''} at ${baseUrl}`
    const abort = new AbortController()
    const timer = setTimeout(() => {
      abort.abort(new TesseraFailure(`tessera did not answer to ${place} within ${timeoutMs} ms`))
    }, timeoutMs)
    underWay.add(abort)
    try {
      const response = await call(baseUrl + path, { ...init, signal: abort.signal, redirect: 'error' })
      if (response.ok) return await response.json()
      await response.body?.cancel()
      if (response.status === 401) token = null
      throw refusal(response, path, baseUrl)
    } catch (error) {
      throw error instanceof TesseraFailure ? error : new TesseraFailure(`tessera gave no answer to ${place}: ${reasonOf(error)}`, null, 0, error)
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
    if (typeof value !== 'string' || typeof seconds !== 'number') throw new TesseraFailure(`tessera gave no token at ${baseUrl}`)
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
      for (const abort of underWay) abort.abort(new TesseraFailure('the verifier was closed'))
    },
  }
}

function refusal({ status, headers }: Response, path: string, baseUrl: string): TesseraFailure {
  const [endpoint = ''] = path.split('?', 1)
  const meaning = meanings[endpoint]?.[status]
  const retryAfter = Number(headers.get('retry-after') ?? 0)
  const words = `tessera answered ${status} to ${endpoint} at ${baseUrl}${meaning === undefined ? '' : `: ${meaning}`}`
  return new TesseraFailure(words, status, Number.isFinite(retryAfter) ? retryAfter * 1000 : 0)
}

/** `fetch` hides what happened: `ECONNREFUSED`, `ENOTFOUND`, a certificate, a redirect. */
export function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'what is there is not JSON'
  if (!(error instanceof Error)) return 'no reason was given'
  const hidden = error.cause instanceof Error ? error.cause : error
  return 'code' in hidden && typeof hidden.code === 'string' ? hidden.code : hidden.message
}

/** The members of a JSON object; none of anything else. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
}

export const unavailable = (cause: unknown): VerificationError =>
  cause instanceof VerificationError ? cause : new VerificationError('unavailable', 'tessera does not answer: try again', cause)

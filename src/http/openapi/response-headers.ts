import { isJson, mapValues, type Json } from './json.js'

const text = { type: 'string' }
const count = { type: 'integer' }

/** What answers carry besides what their schemas say. */
const headers = {
  'X-Request-Id': { description: 'By this the log knows the request: yours if you sent one, else one of ours.', schema: text },
  'RateLimit-Policy': { description: 'The limit that the request fell under: so many (`q`) in so many seconds (`w`).', schema: text },
  RateLimit: { description: 'What is left of it (`r`), and in how many seconds it begins anew (`t`).', schema: text },
  'RateLimit-Limit': { description: 'How many requests the limit allows.', schema: count },
  'RateLimit-Remaining': { description: 'How many of them are left.', schema: count },
  'RateLimit-Reset': { description: 'In how many seconds the limit begins anew.', schema: count },
  'Retry-After': { description: 'In how many seconds to try again.', schema: count },
  'WWW-Authenticate': { description: 'Which kind of credential is asked for, and what was wrong with the one that came (RFC 6750 §3).', schema: text },
} as const

type HeaderName = keyof typeof headers

/** With every answer; said of those that clients read them in. */
const limits: readonly HeaderName[] = ['RateLimit-Policy', 'RateLimit', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset']

const refuses = new Set(['429', '503'])

/** @param challenges whether a 401 of the operation says which credential it wants */
export function withHeaders(responses: Json, { challenges }: { challenges: boolean }): Json {
  return mapValues(responses, (response, status) => {
    if (!isJson(response)) return response
    const isLimited = status === '429' || status.startsWith('2')
    const names: HeaderName[] = ['X-Request-Id', ...(isLimited ? limits : []), ...(refuses.has(status) ? ['Retry-After' as const] : []), ...(status === '401' && challenges ? ['WWW-Authenticate' as const] : [])]
    const own = isJson(response.headers) ? response.headers : {}
    return { ...response, headers: { ...own, ...Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) } }
  })
}

/** Those that the document refers to. */
export const headerComponents = (document: string): Json =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => document.includes(`"#/components/headers/${name}"`)))

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { DataKey, Keyring } from './keyring.js'
import { dialectNames, type DialectName } from './model.js'

/** What a refresh token says. The token of a generation is a pure function of these and the key: nothing of it is stored. */
export interface RefreshTokenContent {
  readonly sessionId: string
  readonly generation: number
  readonly dialect: DialectName
  /** The session's absolute end, in seconds since the epoch. */
  readonly expiresAtSeconds: number
}

/** A token that was presented and is genuine, with the key that signed it: its successor is signed by the same. */
export interface PresentedRefreshToken extends RefreshTokenContent {
  readonly key: DataKey
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

/**
 * Compact JWS, HS256, header `{"kid","alg","typ":"rt+jwt"}`, payload `{"sid","gen","aud","exp"}`: without `iat` and `jti`, so
 * that the same successor can be handed out twice.
 * @see RFC 7515 §3.1
 */
export function encodeRefreshToken(content: RefreshTokenContent, key: DataKey): string {
  const header = base64url(JSON.stringify({ kid: key.kid, alg: 'HS256', typ: 'rt+jwt' }))
  const payload = base64url(
    JSON.stringify({ sid: content.sessionId, gen: content.generation, aud: `refresh:${content.dialect}`, exp: content.expiresAtSeconds }),
  )
  const signature = createHmac('sha256', key.secret).update(`${header}.${payload}`).digest('base64url')
  return `${header}.${payload}.${signature}`
}

const longestToken = 512
const shape = /^([\w-]+)\.([\w-]+)\.[\w-]{43}$/

/**
 * Reads a token and makes it anew: only the exact bytes that we would have issued pass.
 * @returns null for a forged, malformed or re-encoded one; the database is not asked
 */
export function decodeRefreshToken(token: string, keyring: Pick<Keyring, 'find'>): PresentedRefreshToken | null {
  const [, header, payload] = (token.length <= longestToken ? shape.exec(token) : null) ?? []
  const kid = readMember(header, 'kid')
  const key = typeof kid === 'string' ? keyring.find('refresh', kid) : null
  const content = readContent(payload)
  if (key === null || content === null) return null
  const expected = Buffer.from(encodeRefreshToken(content, key))
  const presented = Buffer.from(token)
  return expected.length === presented.length && timingSafeEqual(expected, presented) ? { ...content, key } : null
}

function readContent(payload: string | undefined): RefreshTokenContent | null {
  const sessionId = readMember(payload, 'sid')
  const generation = readMember(payload, 'gen')
  const audience = readMember(payload, 'aud')
  const expiresAtSeconds = readMember(payload, 'exp')
  const dialect = dialectNames.find((name) => audience === `refresh:${name}`)
  if (typeof sessionId !== 'string' || typeof generation !== 'number' || typeof expiresAtSeconds !== 'number' || !dialect) return null
  return { sessionId, generation, dialect, expiresAtSeconds }
}

function readMember(part: string | undefined, name: string): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    return typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined
  } catch {
    return undefined
  }
}

import { createPrivateKey, randomUUID, sign as signBytes } from 'node:crypto'
import type { TestApp } from './app.js'

/** What makes the last part of a token of the other two. */
export type Signer = (signingInput: string) => Buffer | string

export const base64url = (text: string | Buffer): string => Buffer.from(text).toString('base64url')

/** A compact JWS of any header and any claims; a text stands as it is. */
export function forge(header: unknown, claims: unknown, sign: Signer): string {
  const input = [header, claims].map((part) => base64url(typeof part === 'string' ? part : JSON.stringify(part))).join('.')
  return `${input}.${base64url(sign(input))}`
}

export const ecdsa =
  (privatePem: string): Signer =>
  (input) =>
    signBytes('sha256', Buffer.from(input), { key: createPrivateKey(privatePem), dsaEncoding: 'ieee-p1363' })

/** With the very key that the service signs with: such a token fails only for what it says. */
export const genuine = (node: TestApp): Signer => ecdsa(node.app.signingKeys.current().privatePem)

export const goodHeader = (node: TestApp) => ({ kid: node.app.signingKeys.current().kid, alg: 'ES256', typ: 'at+jwt' })

/** The claims of an access token that the service might have issued. */
export function goodClaims(node: TestApp, session: { userId: string; sessionId: string }): Record<string, unknown> {
  const iat = Math.floor(node.clock.now().getTime() / 1000)
  const { href } = node.config.publicUrl
  return { iss: href, aud: href, sub: session.userId, sid: session.sessionId, ep: 0, jti: randomUUID(), iat, exp: iat + 3600, scope: 'profile', amr: ['pwd'] }
}

import { randomUUID, sign, type KeyObject } from 'node:crypto'
import type { TestApp } from './app.js'
import { call, type Answer } from './auth-client.js'
import { fateOf, type Fate } from './clients.js'
import { base64url } from './forge.js'

/** How a client says who it is: members of the form, headers, or both. */
export interface Authentication {
  readonly form?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

/** `client_secret_basic`. */
export const clientOf = (id: string, secret: string): Authentication => ({ headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` } })

export interface AssertionOptions {
  readonly clientId: string
  readonly key: { readonly privateKey: KeyObject; readonly kid: string }
  /** Members that are replaced; undefined leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
}

/** `private_key_jwt`, by an EC key: a minute long, for the issuer, used once. */
export function assertionOf(node: TestApp, { clientId, key, claims = {}, header = {} }: AssertionOptions): Authentication {
  const now = Math.floor(node.clock.now().getTime() / 1000)
  const payload = { iss: clientId, sub: clientId, aud: node.config.publicUrl.href, iat: now, exp: now + 60, jti: randomUUID(), ...claims }
  const input = [{ alg: 'ES256', kid: key.kid, ...header }, payload].map((part) => base64url(JSON.stringify(part))).join('.')
  const signature = sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return { form: { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: `${input}.${base64url(signature)}` } }
}

export const postForm = (node: Pick<TestApp, 'url'>, path: string, { form = {}, headers = {} }: Authentication): Promise<Answer> =>
  call(node, path, { body: new URLSearchParams(form).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } })

/** A token in the client's own name. */
export async function tokenOf(node: Pick<TestApp, 'url'>, { form, headers = {} }: Authentication): Promise<Answer & { accessToken: string }> {
  const answer = await postForm(node, '/oauth/token', { form: { grant_type: 'client_credentials', ...form }, headers })
  const { access_token: accessToken } = { access_token: '', ...(typeof answer.json === 'object' ? answer.json : {}) }
  return { ...answer, accessToken }
}

export const tokenFate = ({ app }: TestApp, token: string): Promise<Fate> => fateOf(app.identity.authenticate({ kind: 'access_token', token, via: 'header' }))

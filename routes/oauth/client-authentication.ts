import type { FastifyInstance, FastifyRequest } from 'fastify'
import { callerNameOf, isUnavailable } from '../../plugins/authenticate.js'
import { extractCredential, headerValues } from '../../plugins/token-extraction.js'
import { AuthError, malformed } from '../../src/domain/errors.js'
import type { Client, Principal } from '../../src/domain/model.js'
import { callerOf, callerOfClient, type Caller } from '../../src/domain/oauth.js'

/** What of a body says who the client is. */
export interface ClientMembers {
  readonly client_id?: string
  readonly client_secret?: string
  readonly client_assertion_type?: string
  readonly client_assertion?: string
}

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export const invalidClient = (cause: string): AuthError => new AuthError('invalid_credentials', { oauth: 'invalid_client', cause })

/**
 * The client that calls, by `client_secret_basic`, `client_secret_post` or `private_key_jwt`.
 * @returns null when none of them was tried
 * @throws AuthError malformed (two ways at once) | invalid_credentials
 * @see RFC 6749 §2.3, RFC 7523 §2.2
 */
export async function authenticateClient(fastify: FastifyInstance, request: FastifyRequest, body: ClientMembers): Promise<Client | null> {
  const client = await countingStrangers(fastify, request, identifyClient(fastify, request, body))
  if (client !== null) await fastify.countCaller(request, `client:${client.id}`)
  return client
}

/** Who shows a wrong credential is counted by address. */
function countingStrangers<T>(fastify: FastifyInstance, request: FastifyRequest, identified: Promise<T>): Promise<T> {
  return identified.catch(async (error: unknown) => {
    if (!isUnavailable(error)) await fastify.countStranger(request)
    throw error
  })
}

async function identifyClient(fastify: FastifyInstance, request: FastifyRequest, body: ClientMembers): Promise<Client | null> {
  const basic = basicCredentials(request)
  const ways = [basic, body.client_secret, body.client_assertion].filter((way) => way !== undefined && way !== null)
  if (ways.length > 1) throw malformed('authenticate the client in one way only')
  if (basic) return bySecret(fastify, basic.id, basic.secret, body.client_id)
  if (body.client_secret !== undefined) return bySecret(fastify, body.client_id ?? '', body.client_secret, body.client_id)
  if (body.client_assertion !== undefined) return byAssertion(fastify, body)
  return null
}

async function bySecret(fastify: FastifyInstance, id: string, secret: string, stated: string | undefined): Promise<Client> {
  const client = stated !== undefined && stated !== id ? null : await fastify.oauth.clientBySecret(id, secret)
  if (client === null) throw invalidClient('unknown client or wrong secret')
  return client
}

async function byAssertion(fastify: FastifyInstance, { client_assertion = '', client_assertion_type, client_id }: ClientMembers): Promise<Client> {
  if (client_assertion_type !== assertionType) throw malformed(`client_assertion_type must be ${assertionType}`)
  const client = await fastify.oauth.clientByAssertion(client_assertion)
  if (client === null || (client_id !== undefined && client_id !== client.id)) throw invalidClient('assertion')
  return client
}

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined. */
function basicCredentials(request: FastifyRequest): { id: string; secret: string } | null {
  const [header, second] = headerValues(request, 'authorization')
  const [scheme, encoded] = /^(basic) *(.*)$/i.exec(header ?? '')?.slice(1) ?? []
  if (scheme === undefined || encoded === undefined) return null
  if (second !== undefined || headerValues(request, 'x-api-key').length > 0) throw malformed('Send one credential, once')
  // Whoever tried and failed is not taken for one who never tried: a public client, or the bearer of a bad token.
  if (!/^[A-Za-z0-9+/]+=*$/.test(encoded)) throw invalidClient('no base64')
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon === -1) throw invalidClient('no colon')
  return { id: formDecoded(text.slice(0, colon)), secret: formDecoded(text.slice(colon + 1)) }
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw invalidClient('encoding')
  }
}

/** Whoever calls: a client, or the bearer of an access token or API key. @throws AuthError */
export async function authenticateCaller(fastify: FastifyInstance, request: FastifyRequest, body: ClientMembers): Promise<Caller> {
  const client = await authenticateClient(fastify, request, body)
  if (client) return callerOfClient(client)
  const principal = await countingStrangers(fastify, request, identifyPrincipal(fastify, request))
  await fastify.countCaller(request, callerNameOf(principal))
  return callerOf(principal)
}

async function identifyPrincipal(fastify: FastifyInstance, request: FastifyRequest): Promise<Principal> {
  const presented = extractCredential(request)
  // A cookie is a browser's, and no way for a service to say who it is.
  if (presented.kind === 'access_token' && presented.via === 'cookie') throw new AuthError('authentication_required')
  return fastify.identity.authenticate(presented)
}

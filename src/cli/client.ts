import { readPublicKeys } from '../domain/client-keys.js'
import { createClient, deleteClient, listClients, replaceClientKeys, rotateClient } from '../domain/clients.js'
import type { Client, PublicKeySet } from '../domain/model.js'
import { accessLifetime, clientId, clientName, clientScopes, jwks, newJwks, overlap, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { CommandError } from './errors.js'
import { facts, table, type Result } from './output.js'
import { readSource } from './source.js'

const ways = { keys: 'private_key_jwt', secret: 'secret' } as const

const clientValue = ({ id, name, scopes, accessSeconds, jwks: keys, createdAt }: Client) =>
  ({ clientId: id, name, scopes, authentication: keys === null ? ways.secret : ways.keys, accessSeconds, createdAt })

const keysIn = async (file: string | null): Promise<PublicKeySet | null> => (file === null ? null : readPublicKeys(await readSource(file)))

/** Id and secret are what the service is configured with, so both are printed. */
async function create(context: Context): Promise<Result> {
  const { read, actor, say } = context
  const request = { name: read(clientName), scopes: read(clientScopes), accessSeconds: read(accessLifetime), jwks: await keysIn(read(jwks)) }
  const { service } = await context.core()
  const { client, secret } = await createClient(service, request, actor, await service.repository.fleet.longestTokenSeconds())
  if (secret !== null) say('The secret is shown this once.')
  return { value: { ...clientValue(client), clientSecret: secret }, text: credentials(client.id, secret) }
}

const credentials = (id: string, secret: string | null): string => facts([['clientId', id], ...(secret === null ? [] : [['clientSecret', secret] as const])])

async function list(context: Context): Promise<Result> {
  const clients = await listClients((await context.core()).service)
  const rows = clients.map(clientValue).map((client) => [client.clientId, client.name, client.scopes.length === 0 ? null : client.scopes, client.authentication, client.accessSeconds, client.createdAt])
  return { value: clients.map(clientValue), text: table(['ID', 'NAME', 'SCOPES', 'BY', 'TOKEN SECONDS', 'CREATED'], rows) }
}

async function rotate(context: Context): Promise<Result> {
  const { read, actor, say } = context
  const [id, keys, overlapSeconds] = [read(clientId), await keysIn(read(newJwks)), read(overlap) ?? 0]
  const { service } = await context.core()
  if (keys !== null) {
    await replaceClientKeys(service, id, keys, actor)
    return { value: { clientId: id, clientSecret: null }, text: credentials(id, null) }
  }
  if ((await service.repository.clients.find(id))?.hasSecret === false) throw new CommandError('this client signs with a key of its own: give the new one with --jwks FILE')
  const secret = await rotateClient(service, id, overlapSeconds, actor)
  say('The secret is shown this once.')
  return { value: { clientId: id, clientSecret: secret, overlapSeconds }, text: credentials(id, secret) }
}

async function remove(context: Context): Promise<Result> {
  const id = context.read(clientId)
  await deleteClient((await context.core()).service, id, context.actor)
  return { value: { deleted: id }, text: `${id}: the client is deleted` }
}

export const client = { create, list, rotate, delete: remove } satisfies Record<keyof typeof commands.client.verbs, Handler>

import { createApiKey, deleteApiKey, type ApiKeyRequest } from '../domain/api-keys.js'
import { AuthError } from '../domain/errors.js'
import type { ApiKey } from '../domain/model.js'
import { expires, keyId, keyName, keyScopes, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { CommandError } from './errors.js'
import { table, type Result } from './output.js'
import { listOf, nameOf, userOf } from './who.js'

const keyValue = ({ id, userId, name, hint, scopes, createdAt, expiresAt, lastUsedAt }: ApiKey) =>
  ({ id, userId, name, hint, scopes, createdAt, expiresAt, lastUsedAt })

/** stdout has the key and nothing else: `KEY=$(tessera apikey create …)`. */
async function create(context: Context): Promise<Result> {
  const user = await userOf(context)
  const { service } = await context.core()
  const { key, secret } = await createApiKey(service, user.id, requestOf(context), { origin: null, operator: context.actor.id }).catch(explainForbidden)
  context.say(`API key ${key.id} of ${nameOf(user)}; it is shown this once:`)
  return { value: { ...keyValue(key), apiKey: secret }, text: secret }
}

function requestOf({ read }: Context): ApiKeyRequest {
  const [name, scopes, end] = [read(keyName), read(keyScopes), read(expires)]
  return {
    name: name ?? 'made by an operator',
    scopes: scopes.length === 0 ? null : scopes,
    expiresAt: typeof end === 'number' ? new Date(Date.now() + end * 1000) : end,
  }
}

/** The domain speaks to the owner of the key; here an operator listens. */
function explainForbidden(error: unknown): never {
  const isForbidden = error instanceof AuthError && error.code === 'forbidden'
  throw isForbidden ? new CommandError('the user does not hold a scope that was asked for: `tessera user set-role` changes what a user may do') : error
}

async function list(context: Context): Promise<Result> {
  const { apiKeys } = (await context.core()).service.repository
  const keys = await listOf<ApiKey>(
    context,
    (last, rows) => apiKeys.listAll({ after: last?.id ?? null, limit: rows }),
    (userId) => apiKeys.list(userId),
  )
  const rows = keys.map((key) => [key.id, key.userId, key.name, key.hint, key.scopes, key.createdAt, key.expiresAt, key.lastUsedAt])
  return { value: keys.map(keyValue), text: table(['ID', 'USER', 'NAME', 'HINT', 'SCOPES', 'CREATED', 'UNTIL', 'LAST USED'], rows) }
}

async function revoke(context: Context): Promise<Result> {
  const { service } = await context.core()
  // As the dialect bearer shows it.
  const id = context.read(keyId).replace(/^key_/, '')
  await deleteApiKey(service, id, null, { origin: null, actor: context.actor })
  return { value: { revoked: id }, text: `${id}: the API key is deleted` }
}

export const apikey = { create, list, revoke } satisfies Record<keyof typeof commands.apikey.verbs, Handler>

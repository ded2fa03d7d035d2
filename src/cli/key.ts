import { openSigningKeys, reportSigningKeys, type SigningKeys } from '../domain/signing-keys.js'
import { kid, type commands } from './commands.js'
import type { Context, Handler } from './context.js'
import { CommandError } from './errors.js'
import { table, type Result } from './output.js'

async function list(context: Context): Promise<Result> {
  const value = await reportSigningKeys((await context.core()).service)
  const rows = value.map((key) => [key.kid, key.alg, key.state, key.publishedAt, key.signsFrom, key.revokedAt])
  return { value, text: table(['KID', 'ALG', 'STATE', 'PUBLISHED', 'SIGNS FROM', 'REVOKED'], rows) }
}

async function signingKeysOf(context: Context): Promise<SigningKeys> {
  const { repository, keyring, clock } = (await context.core()).service
  const { signingAlg: alg, signingKeyMaxAgeSeconds: maxAgeSeconds } = await context.agreed('SIGNING_ALG', 'SIGNING_KEY_MAX_AGE')
  return openSigningKeys({ repository, keyring, clock, alg, maxAgeSeconds })
}

async function rotate(context: Context): Promise<Result> {
  const keys = await signingKeysOf(context)
  const created = await keys.rotate(context.actor)
  return { value: { kid: created, signsFrom: keys.find(created)?.signsFrom ?? null }, text: `${created}: published, and signs in ${(await context.agreed()).signingKeyMaxAgeSeconds} seconds` }
}

async function revoke(context: Context): Promise<Result> {
  const { repository } = (await context.core()).service
  const wanted = context.read(kid)
  const stored = (await repository.keys.signingKeys()).find((key) => key.kid === wanted)
  if (stored === undefined) throw new CommandError('there is no such signing key')
  if (stored.revokedAt !== null) throw new CommandError('that signing key is revoked already')
  const keys = await signingKeysOf(context)
  if (!(await keys.revoke(wanted, context.actor))) throw new CommandError('that signing key is revoked already')
  return { value: { revoked: wanted, signs: keys.current().kid }, text: `${wanted}: revoked; ${keys.current().kid} signs` }
}

export const key = { list, rotate, revoke } satisfies Record<keyof typeof commands.key.verbs, Handler>

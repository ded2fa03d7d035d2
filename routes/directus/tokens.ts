import type { Static } from '@sinclair/typebox'
import type { FastifyReply } from 'fastify'
import type { TokenCookie } from '../../plugins/cookie-transport.js'
import { refreshCookieNames } from '../../plugins/refresh-cookies.js'
import type { Mode, Tokens, Envelope, TokensAnswer } from '../../schemas/directus.js'
import type { Grant } from '../../src/domain/grants.js'

export type Mode = Static<typeof Mode>

/** At `/`, wherever a gateway put us, as existing clients have it. */
export const refreshCookie: TokenCookie = { name: refreshCookieNames.directus, path: '/', sameSite: 'lax' }

/** Answers with a grant; the refresh token goes where `mode` wants it, and nowhere else. */
export function sendGrant(reply: FastifyReply, grant: Grant, { mode, envelope }: { mode: Mode; envelope: Envelope }): FastifyReply {
  if (mode === 'cookie') reply.setTokenCookie(refreshCookie, grant.refreshToken, grant.refreshSeconds)
  return reply.send(enveloped(tokensOf(grant, mode), envelope))
}

function tokensOf(grant: Grant, mode: Mode): Static<typeof Tokens> {
  return {
    access_token: grant.accessToken,
    expires: grant.accessSeconds * 1000,
    ...(mode === 'json' ? { refresh_token: grant.refreshToken } : {}),
    // The token's own `exp`, which counts whole seconds.
    expires_at: new Date((Math.floor(grant.issuedAt.getTime() / 1000) + grant.accessSeconds) * 1000).toISOString(),
  }
}

/** The source lists the attributes at the top level; existing clients read them under `data`. */
function enveloped(tokens: Static<typeof Tokens>, envelope: Envelope): Static<ReturnType<typeof TokensAnswer>> {
  switch (envelope) {
    case 'both':
      return { data: tokens, ...tokens }
    case 'data':
      return { data: tokens }
    case 'none':
      return tokens
  }
}

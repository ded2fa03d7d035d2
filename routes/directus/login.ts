import { originOf } from '../../plugins/origin.js'
import { onlyCookie, refreshCookiesOf } from '../../plugins/refresh-cookies.js'
import { failures, LoginBody, LoginRefused, TokensAnswer, type Envelope } from '../../schemas/directus.js'
import { emailIdentifier } from '../../src/domain/identifiers.js'
import type { Operation } from '../dialect.js'
import { refreshCookie, sendGrant } from './tokens.js'

export const login = (envelope: Envelope): Operation<typeof LoginBody> => ({
  body: LoginBody,
  response: { ...failures, 200: TokensAnswer(envelope), 401: LoginRefused },
  summary: 'Log in with email and password',

  async handle(request, reply, { email, password, otp = null, mode = 'json' }) {
    const { identity, dialectPolicies } = request.server
    const grant = await identity.login({
      dialect: dialectPolicies.directus,
      identifier: emailIdentifier(email),
      factor: 'password',
      secret: password,
      otp,
      origin: originOf(request),
      refreshCookies: refreshCookiesOf(request),
      // Only where its cookie is overwritten: otherwise the browser still holds that session.
      replaces: mode === 'cookie' ? onlyCookie(request, refreshCookie.name) : null,
    })
    if (mode === 'cookie') reply.clearOtherScopes(refreshCookie)
    return sendGrant(reply, grant, { mode, envelope })
  },
})

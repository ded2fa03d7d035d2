import type { Static } from '@sinclair/typebox'
import { originOf } from '../../plugins/origin.js'
import { onlyCookie, refreshCookiesOf } from '../../plugins/refresh-cookies.js'
import { failures, InvalidCredentials, LoginAnswer, LoginBody } from '../../schemas/pin.js'
import { usernameIdentifier } from '../../src/domain/identifiers.js'
import type { Operation } from '../dialect.js'
import { replaceGrantCookies, type PinCookies } from './cookies.js'

/** Both tokens travel in cookies only. */
export const login = (cookies: PinCookies): Operation<typeof LoginBody> => ({
  body: LoginBody,
  response: { ...failures, 200: LoginAnswer, 401: InvalidCredentials },
  summary: 'Log in with name and PIN',

  async handle(request, reply, { name, pin, otp = null }) {
    const { identity, dialectPolicies } = request.server
    const grant = await identity.login({
      dialect: dialectPolicies.pin,
      identifier: usernameIdentifier(name),
      factor: 'pin',
      secret: pin,
      otp,
      origin: originOf(request),
      refreshCookies: refreshCookiesOf(request),
      // The browser forgets this session when its cookie is overwritten; so do we.
      replaces: onlyCookie(request, cookies.refresh.name),
    })
    replaceGrantCookies(reply, cookies, grant)
    return reply.send({ message: 'Login successful' } satisfies Static<typeof LoginAnswer>)
  },
})

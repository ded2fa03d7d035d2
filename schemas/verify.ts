import { Type } from '@sinclair/typebox'
import { matching } from './patterns.js'

export const VerifyQuery = Type.Object({
  // An empty one is a gateway's variable that was never set: letting everybody pass would be the wrong answer to that.
  scope: Type.Optional(Type.String({ ...matching('scopes'), maxLength: 1000, description: 'Scopes that must be held, separated by spaces.' })),
  role: Type.Optional(Type.Union([Type.Literal('user'), Type.Literal('admin')], { description: 'The role that must be held.' })),
  token_for: Type.Optional(
    Type.String({ minLength: 1, maxLength: 200, description: 'Answer with `X-Auth-Token` too: an identity token of 60 seconds for this service, which must be one of `VERIFY_TOKEN_AUDIENCES`. For gateways in `TRUST_PROXY` only.' }),
  ),
  access_token: Type.Optional(Type.String({ description: 'An access token, where no header can be sent.' })),
})

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

const header = (description: string) => ({ type: 'string', description })

/** No body. A header is there even where it is empty, so that none that a client sent survives at the gateway. */
export const Identified = Type.Unsafe<''>({
  type: 'null',
  description: 'No body: the answer is in the headers.',
  headers: {
    'X-Auth-User': header('The id of the user, or of the client. Empty for a preflight that passes.'),
    'X-Auth-Username': header('The username; `%` and what is not ASCII is percent-encoded. Empty: there is none.'),
    'X-Auth-Email': header('The email, in the same encoding. Empty: there is none.'),
    'X-Auth-Session': header('The id of the session. Empty for an API key and a client.'),
    'X-Auth-Scopes': header('Scopes that are held, separated by spaces.'),
    'X-Auth-Method': header('`bearer`, `cookie`, `query` or `api_key`: how the credential came.'),
    'X-Auth-Token': header('With `token_for` only: an identity token of 60 seconds.'),
  },
})

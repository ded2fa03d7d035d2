import { Type } from '@sinclair/typebox'

const text = (maxLength: number) => Type.String({ maxLength })
const longestToken = 16_384

/** How a client says who it is, in the body (RFC 6749 §2.3.1, RFC 7523 §2.2). */
const clientMembers = {
  client_id: Type.Optional(text(100)),
  client_secret: Type.Optional(text(200)),
  client_assertion_type: Type.Optional(text(200)),
  client_assertion: Type.Optional(text(longestToken)),
}

export const TokenBody = Type.Object({
  grant_type: Type.String({ maxLength: 100, description: '`client_credentials` or `refresh_token`' }),
  scope: Type.Optional(Type.String({ maxLength: 2000, description: 'Narrows the access token: scopes separated by spaces. Absent: everything that was granted.' })),
  refresh_token: Type.Optional(text(longestToken)),
  ...clientMembers,
}, { title: 'TokenRequest', examples: [{ grant_type: 'client_credentials', client_id: 'orders', client_secret: 'the secret of this client' }] })

/** RFC 6749 §5.1. */
export const TokenAnswer = Type.Object({
  access_token: Type.String(),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer({ description: 'Seconds.' }),
  refresh_token: Type.Optional(Type.String()),
  scope: Type.String(),
}, { title: 'TokenAnswer' })

export const IntrospectBody = Type.Object({ token: text(longestToken), token_type_hint: Type.Optional(text(100)), ...clientMembers }, { title: 'IntrospectionRequest', examples: [{ token: 'the token in question' }] })

/** RFC 7662 §2.2. */
export const IntrospectAnswer = Type.Object({
  active: Type.Boolean(),
  token_type: Type.Optional(Type.Union([Type.Literal('Bearer'), Type.Literal('api_key')])),
  sub: Type.Optional(Type.String()),
  scope: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  client_id: Type.Optional(Type.String()),
  iat: Type.Optional(Type.Integer()),
  exp: Type.Optional(Type.Integer()),
  iss: Type.Optional(Type.String()),
  aud: Type.Optional(Type.String()),
  jti: Type.Optional(Type.String()),
  sid: Type.Optional(Type.String()),
  key_id: Type.Optional(Type.String({ description: 'Of an API key: what the feed of revocations calls it.' })),
}, { title: 'Introspection' })

export const RevokeBody = Type.Object({ token: text(longestToken), token_type_hint: Type.Optional(text(100)), ...clientMembers }, { title: 'RevocationRequest', examples: [{ token: 'the token to end' }] })

/** RFC 6749 §5.2. */
const Failure = (description: string) => Type.Object({ error: Type.String(), error_description: Type.Optional(Type.String()) }, { title: 'OauthError', description })

export const failures = {
  400: Failure('`invalid_request`, `invalid_grant`, `invalid_scope`, `unsupported_grant_type`: what is wrong with the request.'),
  401: Failure('`invalid_client` or `invalid_token`: no credential, or a bad one. See `WWW-Authenticate`.'),
  403: Failure('`insufficient_scope`: the caller may not do this. See `WWW-Authenticate`.'),
  413: Failure('The body is too large.'),
  415: Failure('Another media type.'),
  429: Failure('Too many requests: see `Retry-After`.'),
  500: Failure('`server_error`'),
  503: Failure('`temporarily_unavailable`: see `Retry-After`.'),
}

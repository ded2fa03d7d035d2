import { Type } from '@sinclair/typebox'

const longestWaitMs = 30_000

export const RevocationsQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 100, description: 'Where the last answer said to go on. Without one: from the beginning.' })),
  wait: Type.Optional(Type.Integer({ minimum: 0, maximum: longestWaitMs, description: 'How long to wait for news. Milliseconds.' })),
})

const kinds = ['session', 'user', 'api_key', 'client', 'token', 'all'] as const

export const RevocationsAnswer = Type.Object({
  cursor: Type.String({ description: 'Where to go on.' }),
  resync: Type.Boolean({ description: 'The cursor was not known: what follows is everything that lives, and replaces what you had.' }),
  lag_ms: Type.Integer({ description: 'How old the news of this node may be, when it answered. Milliseconds.' }),
  waited_ms: Type.Integer({ description: 'How long this answer waited for news. Milliseconds.' }),
  keys: Type.Array(Type.String(), { description: 'The ids (`kid`) of the signing keys that are published now. When yours are others, read the JWKS again: a key may have been revoked.' }),
  longest_token_seconds: Type.Integer({ description: 'The longest life (`exp` − `iat`) that any setting has ever allowed: a token that lives longer is forged. Seconds.' }),
  revocations: Type.Array(
    Type.Object({
      kind: Type.Union(kinds.map((kind) => Type.Literal(kind))),
      subject: Type.String({ description: 'The id of the session (`sid`), user or client (`sub`), token (`jti`) or API key; `*` for all.' }),
      epoch: Type.Union([Type.Integer(), Type.Null()], { description: 'user, client, all: tokens with a lower `ep` are dead.' }),
      survivor: Type.Union([Type.String(), Type.Null()], { description: 'user: the one session (`sid`) that lives on.' }),
      expires_at: Type.String({ description: 'When the last token that it could concern has expired. RFC 3339.' }),
    }, { title: 'Revocation' }),
  ),
}, { title: 'RevocationFeed' })

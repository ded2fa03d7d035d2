import { Type } from '@sinclair/typebox'

/** RFC 7517. The members of a public key are listed one by one: what is not here is not served. */
const PublicKey = Type.Object({
  kid: Type.String(),
  kty: Type.String(),
  use: Type.String(),
  alg: Type.String(),
  crv: Type.Optional(Type.String()),
  x: Type.Optional(Type.String()),
  y: Type.Optional(Type.String()),
  n: Type.Optional(Type.String()),
  e: Type.Optional(Type.String()),
}, { title: 'PublicKey' })

export const KeySet = Type.Object({ keys: Type.Array(PublicKey) }, { title: 'KeySet', description: 'Every key that a live token may be signed with, or will be.' })

/** RFC 8414: names of what exists. */
export const Metadata = Type.Object({ issuer: Type.String() }, { title: 'AuthorizationServerMetadata', additionalProperties: true })

import { Type } from '@sinclair/typebox'

/** RFC 9457. */
export const ProblemDetails = Type.Object(
  { type: Type.String(), title: Type.String(), status: Type.Integer(), detail: Type.Optional(Type.String()) },
  { description: 'application/problem+json' },
)

import { Type } from '@sinclair/typebox'

/** By which plugins/openapi-document.ts knows what goes out as application/problem+json. */
export const problemTitle = 'ProblemDetails'

/** RFC 9457. */
export const Problem = (description: string) =>
  Type.Object(
    { type: Type.String(), title: Type.String(), status: Type.Integer(), detail: Type.Optional(Type.String()) },
    { title: problemTitle, description },
  )

/** What every route outside the dialects may answer besides its own. */
export const problems = {
  400: Problem('The request is malformed.'),
  429: Problem('Too many requests: see `Retry-After`.'),
  500: Problem('Something unexpected: the log knows more.'),
  503: Problem('Unavailable: see `Retry-After`.'),
}

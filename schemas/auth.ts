import { Type } from '@sinclair/typebox'
import { Failure } from './directus.js'

/** What a path that `pin` and `directus` share answers when it cannot tell which of them is meant. */
export const FailureForBoth = Type.Object(
  { message: Type.String(), ...Failure('').properties },
  { title: 'AuthError', description: 'before it is clear which dialect is meant: both shapes in one' },
)

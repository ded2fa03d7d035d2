import { AuthError } from '../../src/domain/errors.js'
import type { ApiKey, User } from '../../src/domain/model.js'

/** The prefixes stand in the JSON of this dialect only: inside, and in every token, an id is the bare uuid. */

export const userIdOf = ({ id }: Pick<User, 'id'>): string => `user_${id}`

export const keyIdOf = ({ id }: Pick<ApiKey, 'id'>): string => `key_${id}`

const keyIdPattern = /^key_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/** @throws AuthError api_key_not_found: what cannot be an id is answered like one that nobody has */
export function parseKeyId(text: string): string {
  const id = keyIdPattern.exec(text)?.[1]
  if (id === undefined) throw new AuthError('api_key_not_found')
  return id
}

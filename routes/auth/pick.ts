import type { DialectName } from '../../src/domain/model.js'

/** The dialects behind the shared door. */
export const doorDialects = ['pin', 'directus'] as const satisfies readonly DialectName[]
export type DoorDialect = (typeof doorDialects)[number]

export type OperationName = 'login' | 'refresh' | 'logout'

/** What of a request the choice depends on. */
export interface Presented {
  /** undefined: there is no body. */
  readonly body: object | undefined
  /** Which dialects' cookies came along; an empty value is no cookie. */
  readonly cookies: Readonly<Record<DoorDialect, boolean>>
}

/** `mixture`: members of both dialects' logins. `neither`: members of none. */
export type Choice = DoorDialect | 'mixture' | 'neither'

/**
 * Which dialect answers a call on /auth (dialects.md, *Who answers on /auth*). Nothing falls through to the other one later.
 * @param enabled which of the two are switched on; a single one answers everything
 */
export function pick(operation: OperationName, presented: Presented, enabled: readonly DoorDialect[]): Choice {
  const [only, ...others] = enabled
  if (only !== undefined && others.length === 0) return only
  return operation === 'login' ? pickForLogin(presented) : pickForSession(presented)
}

function pickForLogin({ body }: Presented): Choice {
  const isPin = hasAny(body, ['name', 'pin'])
  const isDirectus = hasAny(body, ['email', 'password'])
  if (isPin === isDirectus) return isPin ? 'mixture' : 'neither'
  return isPin ? 'pin' : 'directus'
}

function pickForSession({ body, cookies }: Presented): DoorDialect {
  if (hasAny(body, ['mode', 'refresh_token'])) return 'directus'
  if (cookies.pin !== cookies.directus) return cookies.pin ? 'pin' : 'directus'
  // Clients of pin send no body, those of directus always one.
  return body === undefined ? 'pin' : 'directus'
}

/** Whatever the value: a member of the wrong type is still a sign of who is meant. */
const hasAny = (body: object | undefined, names: readonly string[]): boolean => body !== undefined && names.some((name) => Object.hasOwn(body, name))

import type { Role } from './model.js'

/** What each right allows, for documentation and for refusing unknown ones. */
export const scopes = {
  profile: 'the ordinary rights of a user',
  introspect: 'ask about any token (RFC 7662)',
  revoke: 'revoke any token (RFC 7009)',
  revocations: 'follow the feed of revocations',
  admin: 'the operators’ endpoints',
} as const

export type Scope = keyof typeof scopes

const rights: Readonly<Record<Role, readonly Scope[]>> = {
  user: ['profile'],
  admin: ['profile', 'introspect', 'revoke', 'revocations', 'admin'],
}

export const scopesOfRole = (role: Role): readonly Scope[] => rights[role]

/** What a user of any role has. */
export const scopesOfEverybody: readonly string[] = rights.user

export const isScope = (name: string): name is Scope => Object.hasOwn(scopes, name)

/** What a key may do now: its scopes, as far as the owner still has them; without scopes, the ordinary rights. */
export const scopesOfKey = (keyScopes: readonly string[] | null, ownerRole: Role): readonly Scope[] =>
  scopesOfRole(ownerRole).filter((scope) => (keyScopes === null ? scope === 'profile' : keyScopes.includes(scope)))

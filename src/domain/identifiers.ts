import { malformed } from './errors.js'
import { foldName, lowerName } from './name-folding.js'
import { hasOneWriting } from './name-scripts.js'
import type { Handle, Identifier } from './ports.js'

/** Letters, marks, digits, and inside the name single spaces and . _ - + '. No @, no control character. */
const usernamePattern = /^[\p{L}\p{M}\p{N}_.+'-]+( [\p{L}\p{M}\p{N}_.+'-]+)*$/u
const emailPattern = /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u

/** Some of what shows nothing counts as a letter or a mark: Hangul fillers, variation selectors, the grapheme joiner. */
const invisible = /\p{Default_Ignorable_Code_Point}/u

/** Code points, for names as for secrets. */
export const codePoints = (text: string): number => Array.from(text).length

const longestIdentifier = 254

const isName = (pattern: RegExp, canonical: string): boolean =>
  pattern.test(canonical) && !invisible.test(canonical) && codePoints(canonical) <= longestIdentifier

/** @returns null for what can be nobody's username */
function canonicalUsername(given: string): string | null {
  const canonical = lowerName(given)
  return isName(usernamePattern, canonical) ? canonical : null
}

/** @returns null for what can be nobody's address */
export function canonicalEmail(given: string): string | null {
  const canonical = lowerName(given)
  return isName(emailPattern, canonical) ? canonical : null
}

/** The sign as the canonical rule sees it: a keyboard for full-width letters has one of its own. */
const hasAt = (given: string): boolean => lowerName(given).includes('@')

/** What a login looks for. A name that cannot be is looked for as it stands, and found by nobody, in the same time. */
const identifier = (by: Identifier['by'], given: string, canonical: string | null): Identifier =>
  canonical === null ? { by, canonical: given, folded: given } : { by, canonical, folded: foldName(given) }

export const usernameIdentifier = (given: string): Identifier => identifier('username', given, canonicalUsername(given))
export const emailIdentifier = (given: string): Identifier => identifier('email', given, canonicalEmail(given))
export const usernameOrEmailIdentifier = (given: string): Identifier => (hasAt(given) ? emailIdentifier(given) : usernameIdentifier(given))

const beginsWithMark = /^\p{M}/u

/** Rules for names that are to be. A name of long ago keeps working. @throws AuthError malformed */
export function newUsername(given: string): Handle {
  const canonical = canonicalUsername(given)
  if (hasAt(given)) throw malformed('username must not contain @: give an email address as email')
  if (canonical === null || beginsWithMark.test(canonical)) throw malformed("username may have letters, digits, . _ - + ' and single spaces inside, at most 254 characters")
  if (!hasOneWriting(canonical)) throw malformed('username must not mix letters of scripts that look alike')
  return { given, canonical, folded: foldName(given) }
}

/** @throws AuthError malformed */
export function newEmail(given: string): Handle {
  const canonical = canonicalEmail(given)
  if (canonical === null) throw malformed('email must be an address such as jane@example.com, at most 254 characters')
  if (!canonical.split(/[@.]/).every(hasOneWriting)) throw malformed('email must not mix letters of scripts that look alike in one word')
  return { given, canonical, folded: foldName(given) }
}

import { malformed } from './errors.js'
import type { Identifier } from './ports.js'

/**
 * The one canonical rule for names, at creation and at login: NFKC, lower case, NFKC again (lower-casing can undo the first).
 * Full-width, composed and decomposed, upper and lower case forms are one name; what looks alike but is not is another name.
 */
export const foldName = (given: string): string => given.normalize('NFKC').toLowerCase().normalize('NFKC')

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
  const canonical = foldName(given)
  return isName(usernamePattern, canonical) ? canonical : null
}

/** @returns null for what can be nobody's address */
export function canonicalEmail(given: string): string | null {
  const canonical = foldName(given)
  return isName(emailPattern, canonical) ? canonical : null
}

/** The sign as the canonical rule sees it: a keyboard for full-width letters has one of its own. */
const hasAt = (given: string): boolean => foldName(given).includes('@')

/** What a login looks for. A name that cannot be is looked for as it stands, and found by nobody, in the same time. */
export const usernameIdentifier = (given: string): Identifier => ({ by: 'username', canonical: canonicalUsername(given) ?? given })
export const emailIdentifier = (given: string): Identifier => ({ by: 'email', canonical: canonicalEmail(given) ?? given })
export const usernameOrEmailIdentifier = (given: string): Identifier => (hasAt(given) ? emailIdentifier(given) : usernameIdentifier(given))

/** Scripts whose letters pass for each other's: a new name keeps to one of them (Unicode TR 39, single script). */
const confusableScripts = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u, /\p{Script=Cherokee}/u]

/** @throws AuthError malformed */
export function newUsername(given: string): { given: string; canonical: string } {
  const canonical = canonicalUsername(given)
  if (hasAt(given)) throw malformed('username must not contain @: give an email address as email')
  if (canonical === null) throw malformed("username may have letters, digits, . _ - + ' and single spaces inside, at most 254 characters")
  if (confusableScripts.filter((script) => script.test(canonical)).length > 1) {
    throw malformed('username must not mix letters of scripts that look alike')
  }
  return { given, canonical }
}

/** @throws AuthError malformed */
export function newEmail(given: string): { given: string; canonical: string } {
  const canonical = canonicalEmail(given)
  if (canonical === null) throw malformed('email must be an address such as jane@example.com, at most 254 characters')
  return { given, canonical }
}

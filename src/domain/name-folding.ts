/**
 * The form that a name is stored and looked up in: NFKC, lower case, NFKC again (lower-casing can undo the first).
 * Full-width, composed and decomposed, upper and lower case forms are one name.
 */
export const lowerName = (given: string): string => given.normalize('NFKC').toLowerCase().normalize('NFKC')

const isAscii = (text: string): boolean => !/\P{ASCII}/u.test(text)

/**
 * Full case folding, letter by letter (Unicode §3.13): lower case alone leaves `ß` beside `ss`, and writes a capital sigma
 * in two ways, by its place in the word. It begins with lower case for the capital `ẞ`, whose upper case is itself.
 */
const foldLetter = (letter: string): string => letter.toLowerCase().toUpperCase().toLowerCase()

/** A dot above a letter that has one already cannot be seen. */
const hiddenDot = /(\p{Soft_Dotted})\u0307/gu

/**
 * The form that tells names apart: names that a reader takes for one are one here (RFC 8265 §3.3, with full case folding).
 * A dotless i counts as an i, since both are one capital letter outside Turkish.
 */
export function foldName(given: string): string {
  if (isAscii(given)) return given.toLowerCase()
  const folded = Array.from(given.normalize('NFKC'), foldLetter).join('').normalize('NFKD').replace(hiddenDot, '$1')
  return folded.normalize('NFKC')
}

/** Scripts in common use (Unicode UAX 31, table 5), but Latin, which goes with most of them. */
const scripts = [
  'Arabic', 'Armenian', 'Bengali', 'Bopomofo', 'Cyrillic', 'Devanagari', 'Ethiopic', 'Georgian', 'Greek', 'Gujarati', 'Gurmukhi', 'Han', 'Hangul', 'Hebrew',
  'Hiragana', 'Kannada', 'Katakana', 'Khmer', 'Lao', 'Malayalam', 'Myanmar', 'Oriya', 'Sinhala', 'Tamil', 'Telugu', 'Thaana', 'Thai', 'Tibetan',
  'Cherokee', 'Coptic', 'Glagolitic', 'Lisu', 'Runic', 'Osage', 'Deseret',
] as const

/** Their letters pass for those of Latin: with it they are refused. */
const alikeLatin: ReadonlySet<string> = new Set(['Armenian', 'Cherokee', 'Coptic', 'Cyrillic', 'Deseret', 'Glagolitic', 'Greek', 'Lisu', 'Osage', 'Runic'])

/** What is written with several scripts at once. */
const writtenTogether = [['Han', 'Hiragana', 'Katakana'], ['Han', 'Bopomofo'], ['Han', 'Hangul']]

/** Signs and marks that all scripts share count for none; a sign that a few scripts share counts for each of them. */
const onlyOf = (names: readonly string[]): RegExp =>
  new RegExp(`^[\\p{Script=Common}\\p{Script=Inherited}${names.map((name) => `\\p{Script_Extensions=${name}}`).join('')}]*$`, 'u')

const allowed = [
  onlyOf(['Latin']),
  ...scripts.map((script) => onlyOf(alikeLatin.has(script) ? [script] : ['Latin', script])),
  ...writtenTogether.map((together) => onlyOf(['Latin', ...together])),
]

/** A letter of a script that is not named above: such names are one script, as far as this can tell. */
const ofAnotherScript = onlyOf(['Latin', ...scripts])
const rareOnly = new RegExp(`^[^${['Latin', ...scripts].map((name) => `\\p{Script=${name}}`).join('')}]*$`, 'u')

/**
 * Whether the letters of a word go together (Unicode UTS 39 §5.2, moderately restrictive): of one script, of Latin and one
 * other that looks unlike it, or of scripts that are written together.
 */
export const hasOneWriting = (word: string): boolean =>
  allowed.some((pattern) => pattern.test(word)) || (!ofAnotherScript.test(word) && rareOnly.test(word))

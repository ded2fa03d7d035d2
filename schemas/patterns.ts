/** The patterns that values must match: with each what it wants, for the reader of a 400, to whom the pattern itself says little. */
const patterns = {
  id: ['^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', 'an id as answers have it, such as 01890a5d-ac96-774b-bcce-b302099a8057'],
  eventId: ['^[1-9][0-9]{0,14}$', 'a whole number, as next_cursor has it'],
  withoutNul: ['^[^\\u0000]*$', 'text without NUL'],
  scopes: ['\\S', 'one or more scopes, separated by spaces'],
} as const satisfies Record<string, readonly [pattern: string, words: string]>

/** For `Type.String`: `{ pattern }`. */
export const matching = (name: keyof typeof patterns): { pattern: string } => ({ pattern: patterns[name][0] })

/** What a value should have been that does not match; undefined for a pattern from elsewhere. */
export const wordsOfPattern = (pattern: string): string | undefined => Object.values(patterns).find(([known]) => known === pattern)?.[1]

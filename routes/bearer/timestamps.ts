import { malformed } from '../../src/domain/errors.js'

/** RFC 3339 in UTC, in whole seconds, as the source writes them: `2023-10-27T10:00:00Z`. */
export const wholeSeconds = (date: Date): string => date.toISOString().replace(/\.\d{3}Z$/, 'Z')

/**
 * The schema has checked the form; what it lets through and no calendar has (a leap second) is refused here.
 * @throws AuthError malformed
 */
export function parseTimestamp(text: string, member: string): Date {
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) throw malformed(`${member} must be a time such as 2030-01-31T12:00:00Z`)
  return date
}

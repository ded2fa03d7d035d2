import { CommandError } from './errors.js'

const wanted = 'give one JSON object a line'

/**
 * Refuses a file of another kind as a whole: told line by line, it would be one mistake thousands of times.
 * @param members that a line may have, for a header of a table to be known by
 * @throws CommandError
 */
export function requireLines(text: string, members: readonly string[]): void {
  const whole = text.trim()
  const [first = ''] = whole.split(/\r?\n/, 1)
  if (isJson(first) && !isListOfObjects(whole)) return
  const other = otherKindOf(whole, first, members)
  if (other !== null) throw new CommandError(`the file is ${other}`)
}

function otherKindOf(whole: string, first: string, members: readonly string[]): string | null {
  if (whole.startsWith('[') && (isListOfObjects(whole) || !isJson(first))) return `a JSON array: ${wanted} (jq -c '.[]' FILE writes it so)`
  if (/^\{\s*$/.test(first) || (whole.startsWith('{') && isJson(whole))) return `JSON over several lines: ${wanted} (jq -c . FILE writes it so)`
  if (isHeader(first, members)) return `a table, such as CSV: ${wanted}, as {"username":"jane","email":"jane@example.com"}`
  if (whole.startsWith('<')) return `XML or HTML: ${wanted}`
  return null
}

/** Of CSV, with whatever stands between the columns: one of ours is there, or all are words. */
function isHeader(first: string, members: readonly string[]): boolean {
  const columns = first.split(/[,;\t|]/).map((column) => column.trim().replace(/^"|"$/g, '').toLowerCase())
  return columns.length > 1 && !first.startsWith('{') && (columns.some((column) => members.includes(column)) || columns.every((column) => /^[\p{L}\p{N} _.@+-]*$/u.test(column)))
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function isListOfObjects(text: string): boolean {
  if (!text.startsWith('[')) return false
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) && list.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item))
  } catch {
    return false
  }
}

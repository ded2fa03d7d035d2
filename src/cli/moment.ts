/** An RFC 3339 time, or a day. */
const pattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/

/** @returns null for what is no moment in time, such as 31 February */
export function parseMoment(text: string): Date | null {
  const at = new Date(text)
  return pattern.test(text) && !Number.isNaN(at.getTime()) ? at : null
}

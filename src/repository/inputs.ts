import { isIP } from 'node:net'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** No row has it. */
const nobody = '00000000-0000-0000-0000-000000000000'

/**
 * What to look for when a client names an id: what is no uuid finds nothing, instead of an error of the database. In lower case, as
 * the columns have it that hold ids as text.
 */
export const idToFind = (id: string): string => (uuid.test(id) ? id.toLowerCase() : nobody)

/** For columns that only note an id. */
export const idToNote = (id: string | null | undefined): string | null => (id && uuid.test(id) ? id : null)

/** What a proxy claims may be no address at all; the database has no type for a zone (`%eth0`). */
export function addressToNote(ip: string | null | undefined): string | null {
  const address = ip?.split('%', 1)[0] ?? ''
  return isIP(address) === 0 ? null : address
}

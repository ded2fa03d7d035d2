import { BlockList, isIP } from 'node:net'

/** `203.0.113.1:51111`, as Azure and IIS write it. */
const ipv4WithPort = /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/
/** `[2001:db8::1]` and `[2001:db8::1]:443` (RFC 3986 §3.2.2). */
const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/
const quoted = /^"(.*)"$/
const zone = /%.*$/
const dottedMapped = /^(?:0{0,4}:)*:?ffff:(\d+\.\d+\.\d+\.\d+)$/i
const hexMapped = /^(?:0{0,4}:)*:?ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i

/**
 * An address as sockets and proxies write it: with a port, in brackets, in quotes, with a zone, IPv4 inside IPv6.
 * @returns the bare address, IPv4 as IPv4; null for what is none, such as `unknown` or `_hidden` (RFC 7239 §6)
 */
export function plainAddress(text: string | undefined): string | null {
  if (text === undefined) return null
  if (isIP(text) === 4) return text
  const unquoted = text.trim().replace(quoted, '$1')
  const bare = (bracketed.exec(unquoted)?.[1] ?? ipv4WithPort.exec(unquoted)?.[1] ?? unquoted).replace(zone, '')
  const family = isIP(bare)
  if (family === 0) return null
  return family === 6 ? (mappedAddress(bare) ?? bare) : bare
}

/** @returns the IPv4 address inside `::ffff:0:0/96`, in whatever spelling; null for any other IPv6 address */
function mappedAddress(address: string): string | null {
  const dotted = dottedMapped.exec(address)?.[1]
  if (dotted !== undefined) return dotted
  const [, high, low] = hexMapped.exec(address) ?? []
  if (high === undefined || low === undefined) return null
  return [high, low].map((hextet) => parseInt(hextet, 16)).flatMap((number) => [number >> 8, number & 255]).join('.')
}

/** Says whether an address, in any spelling of `plainAddress`, is one of a list. */
export type IsListed = (address: string | undefined) => boolean

const mappedBits = 96

/** @param entries addresses and CIDRs; none for null */
export function addressMatcher(entries: readonly string[] | null): IsListed {
  if (entries === null || entries.length === 0) return () => false
  const list = new BlockList()
  for (const entry of entries) addEntry(list, entry)
  return (text) => {
    const address = plainAddress(text)
    return address !== null && list.check(address, familyOf(address))
  }
}

function addEntry(list: BlockList, entry: string): void {
  const [given = '', bits] = entry.split('/')
  const mapped = isIP(given) === 6 ? mappedAddress(given) : null
  if (bits === undefined) {
    const address = mapped ?? given
    list.addAddress(address, familyOf(address))
  } else if (mapped !== null && Number(bits) >= mappedBits) {
    list.addSubnet(mapped, Number(bits) - mappedBits, 'ipv4')
  } else {
    list.addSubnet(given, Number(bits), familyOf(given))
  }
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

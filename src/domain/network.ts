import { isIP } from 'node:net'

const zone = /%.*$/

/**
 * Who counts as one place: an IPv4 address, or the /64 of an IPv6 address, which is what one household is given.
 * @param ip an address; anything else counts as one place of its own
 */
export function networkOf(ip: string): string {
  const plain = ip.replace(zone, '')
  if (isIP(plain) !== 6) return plain
  const hextets = hextetsOf(plain)
  const isMapped = hextets.slice(0, 6).join(':') === '0:0:0:0:0:65535'
  return isMapped ? dotted(hextets.slice(6)) : `${hextets.slice(0, 4).map((hextet) => hextet.toString(16)).join(':')}::/64`
}

/**
 * The networks that a place lies in, the widest first and itself the last: whoever has a /48 has 65,536 places, and they share a
 * bound. For IPv6 the /48 and the /56, for IPv4 the /24.
 * @param network as `networkOf` gives it
 */
export function networksAround(network: string): string[] {
  const [, a, b, c, d] = /^([0-9a-f]+):([0-9a-f]+):([0-9a-f]+):([0-9a-f]+)::\/64$/.exec(network) ?? []
  if (a !== undefined && b !== undefined && c !== undefined && d !== undefined) {
    return [`${a}:${b}:${c}::/48`, `${a}:${b}:${c}:${(parseInt(d, 16) & 0xff00).toString(16)}::/56`, network]
  }
  return isIP(network) === 4 ? [`${network.replace(/\d+$/, '0')}/24`, network] : [network]
}

/** The eight numbers of an IPv6 address. */
function hextetsOf(ip: string): number[] {
  const [head = '', tail] = ip.split('::')
  const left = numbers(head)
  const right = numbers(tail ?? '')
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

const numbers = (part: string): number[] => (part === '' ? [] : part.split(':').flatMap((text) => (text.includes('.') ? pairs(text) : [parseInt(text, 16)])))

/** An IPv4 address as two hextets. */
function pairs(ipv4: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number)
  return [a * 256 + b, c * 256 + d]
}

const dotted = (hextets: readonly number[]): string => hextets.flatMap((hextet) => [hextet >> 8, hextet & 255]).join('.')

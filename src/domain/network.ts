import { isIP } from 'node:net'

const ipv4Mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i

/**
 * Who counts as one place: an IPv4 address, or the /64 of an IPv6 address, which is what one household is given.
 * @param ip an address; anything else counts as one place of its own
 */
export function networkOf(ip: string): string {
  const plain = ip.replace(/%.*$/, '')
  const mapped = ipv4Mapped.exec(plain)?.[1]
  if (mapped !== undefined && isIP(mapped) === 4) return mapped
  return isIP(plain) === 6 ? `${firstHextets(plain)}::/64` : plain
}

function firstHextets(ip: string): string {
  const [head = '', tail] = ip.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const embeddedIpv4 = ip.includes('.') ? 1 : 0
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length - embeddedIpv4
  const all = [...left, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...right]
  return all.slice(0, 4).map((hextet) => parseInt(hextet, 16).toString(16)).join(':')
}

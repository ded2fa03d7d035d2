import { BlockList, isIP } from 'node:net'

const ipv4Mapped = /^::ffff:(?<ipv4>[\d.]+)$/i
const zone = /%.*$/

/**
 * Whether an address is one of those that a setting lists.
 * @param entries addresses and CIDRs
 * @returns false for what is no address
 */
export function listedAddresses(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    if (prefix === undefined) list.addAddress(address, familyOf(address))
    else list.addSubnet(address, Number(prefix), familyOf(address))
  }
  return (address) => {
    const plain = ipv4Mapped.exec(address)?.groups?.ipv4 ?? address.replace(zone, '')
    return isIP(plain) !== 0 && list.check(plain, familyOf(plain))
  }
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

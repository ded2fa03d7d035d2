import { isIP } from 'node:net'
import { plainAddress } from '../http/addresses.js'

/** Whether a host, as a setting, a URL or a `Host` header has it, is this machine and no other. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/\.$/, '').toLowerCase()
  const address = plainAddress(name)
  return name === 'localhost' || address === '::1' || (address !== null && isIP(address) === 4 && address.startsWith('127.'))
}

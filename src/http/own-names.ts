import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '../config/index.js'
import { isLoopback } from '../config/loopback.js'
import { addressMatcher } from './addresses.js'

export type NamedConfig = Pick<Config, 'host' | 'publicUrl' | 'trustProxy'>

/**
 * Whether a request calls us by a name of ours. That matters on loopback, where whoever can reach us is on this machine, be it in a
 * browser that a foreign page has led here; a trusted proxy has judged for itself.
 * @param boundTo where the server listens, once it does
 */
export function ownNames({ host, publicUrl, trustProxy }: NamedConfig, boundTo: () => AddressInfo | string | null): (request: IncomingMessage) => boolean {
  const isTrusted = addressMatcher(trustProxy)
  const named = new Set([host, new URL(publicUrl.href).hostname].map(plainName))
  let isForThisMachine: boolean | null = isLoopback(host) ? true : wildcards.has(host) ? false : null

  /** `HOST` may be a name of this machine that means loopback. */
  function isOnLoopback(): boolean {
    if (isForThisMachine !== null) return isForThisMachine
    const address = boundTo()
    if (typeof address !== 'object' || address === null) return false
    return (isForThisMachine = isLoopback(address.address))
  }

  const isOwn = (authority: string): boolean => {
    const name = authority.replace(port, '')
    return name === '' || isLoopback(name) || named.has(plainName(name))
  }

  return ({ headers, url = '', socket }) => {
    if (!isOnLoopback() || isTrusted(socket.remoteAddress)) return true
    const target = authorityOfTarget.exec(url)?.[1]
    return isOwn(headers.host ?? '') && (target === undefined || isOwn(target))
  }
}

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]'])
const port = /:\d*$/
/** A target in absolute form beats `Host` (RFC 9112 §3.2.2). */
const authorityOfTarget = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#]*)/i

const plainName = (host: string): string => host.toLowerCase().replace(/\.$/, '')

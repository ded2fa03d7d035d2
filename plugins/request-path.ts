import type { FastifyRequest } from 'fastify'
import { redacted } from '../src/http/redaction.js'

/** Where a path ends: what follows may be a credential. The escaped forms are a client's slip, and may carry one too. */
const endOfPath = /[?#;]|%3f|%23|%3b/i
const originOfTarget = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i

/** The path of a request target, as it was sent, without its query. */
export function pathOf(target: string): string {
  const path = target.replace(originOfTarget, '')
  const end = path.search(endOfPath)
  return (end === -1 ? path : path.slice(0, end)) || '/'
}

/** The path as the router reads it: `;` and escapes are part of it. */
export const soughtPath = (target: string): string => target.replace(originOfTarget, '').replace(/[?#].*$/s, '') || '/'

/** The query of a request target, without its question mark. */
export function queryOf(target: string): string {
  const start = target.indexOf('?')
  return start === -1 ? '' : target.slice(start + 1)
}

/**
 * What decides which rules and which error shape apply: the pattern of the route, which no spelling of the path can
 * evade; where no route matched, the path, decoded as the router would.
 */
export function routedPath(request: FastifyRequest): string {
  const pattern = request.routeOptions.url
  return pattern === undefined || pattern === '*' ? sentPath(request.url) : pattern
}

/** The path of a request target, decoded as the router would. */
export const sentPath = (target: string): string => decoded(pathOf(target))

function decoded(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

/** Whether a path lies at or below a prefix such as `/auth/`. */
export const isBelow = (prefix: string, path: string): boolean => `${path}/`.startsWith(prefix)

const controlCharacters = /[\p{Cc}\p{Zl}\p{Zp}]/gu
const longestShown = 300

/** A path for a log line: no credential, no control characters of a terminal, no 16 KB. */
export function shownPath(target: string): string {
  const path = redacted(pathOf(target)).replace(controlCharacters, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return path.length > longestShown ? `${path.slice(0, longestShown)}…` : path
}

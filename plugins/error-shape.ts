import type { AuthError } from '../src/domain/errors.js'
import { isBelow } from './request-path.js'

/** How one API says that something went wrong: status and body, for every code there is. */
export interface ErrorShape {
  readonly name: string
  /** @param path the path of the request, without its query */
  render(error: AuthError, path: string): RenderedError
}

export interface RenderedError {
  readonly status: number
  readonly body: unknown
  /** Where it is not plain JSON. */
  readonly contentType?: string
  /** `WWW-Authenticate`, where a credential was asked for and this answer refuses it. */
  readonly challenge?: string
}

/** Which shape answers for paths that begin with `prefix`; the longest prefix wins. */
export interface PrefixedShape {
  readonly prefix: string
  readonly shape: ErrorShape
}

/**
 * Who answers for a path.
 * @param rest answers where no prefix fits
 */
export function shapeByPath(shapes: readonly PrefixedShape[], rest: ErrorShape): (path: string) => ErrorShape {
  const longestFirst = [...shapes].sort((a, b) => b.prefix.length - a.prefix.length)
  return (path) => longestFirst.find(({ prefix }) => isBelow(prefix, path))?.shape ?? rest
}

export const plainJson = 'application/json; charset=utf-8'

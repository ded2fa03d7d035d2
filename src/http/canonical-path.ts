/** What may stand in a path beyond the strict form. */
export const pathAllowances = ['space', 'slash', 'semicolon'] as const
export type PathAllowance = (typeof pathAllowances)[number]

export type IsCanonical = (uri: string) => boolean

const printable = /^[\x21-\x7e]+$/
/** Written as themselves, or not at all: every server reads their escapes as something else, or twice (RFC 3986 §2.4, §6.2.2.2). */
const neverEscaped = /[A-Za-z0-9\-._~%\\;?#\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const escapes = /(?:%[0-9A-Fa-f]{2})+/g
const dotSegment = /^\.{1,2}$/
const separators = /[/\\]/g

/**
 * Whether every server reads a URI in one way: docs/gateways.md, *One reading of a path*. The query is not looked at beyond its
 * characters.
 */
export function canonicalCheck(allowances: readonly PathAllowance[]): IsCanonical {
  const allowed = new Set(allowances)
  const isFitSegment = (segment: string): boolean => !isAmbiguous(segment) && (allowed.has('space') || !segment.includes(' '))

  return (uri) => {
    if (!printable.test(uri) || uri.includes('#')) return false
    const [path = ''] = uri.split('?', 1)
    if (!path.startsWith('/') || path.includes('\\')) return false
    if (path.includes(';') && !allowed.has('semicolon')) return false
    const decoded = decodedOnce(path, allowed.has('slash'))
    if (decoded === null) return false
    const segments = decoded.slice(1).split('/')
    return segments.every((segment, i) => (segment === '' ? i === segments.length - 1 && isEndPlain(path) : isFitSegment(segment))) && isPlainWhenFolded(decoded)
  }
}

/** @returns null where an escape is broken, is no UTF-8, or stands for what must not be escaped */
function decodedOnce(path: string, mayEscapeSlash: boolean): string | null {
  if (!path.includes('%')) return path
  if (path.replace(escapes, '').includes('%')) return null
  for (const [run] of path.matchAll(escapes)) {
    const text = decodedUtf8(run)
    if (text === null || neverEscaped.test(text) || (text.includes('/') && !mayEscapeSlash)) return null
  }
  return decodedUtf8(path)
}

function decodedUtf8(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** A path may end with a slash, not with an escaped one. */
const isEndPlain = (path: string): boolean => path.endsWith('/')

/** A dot segment, also one with parameters, and blanks that some servers cut off. */
function isAmbiguous(segment: string): boolean {
  const [name = ''] = segment.split(';', 1)
  return name === '' || dotSegment.test(name) || segment !== segment.trim() || name !== name.trim()
}

/** Letters that compatibility folding turns into what separates: `／` and `‥` (UAX 15, NFKC). */
function isPlainWhenFolded(decoded: string): boolean {
  const folded = decoded.normalize('NFKC')
  if (folded === decoded) return true
  const count = (text: string): number => text.match(separators)?.length ?? 0
  return count(folded) === count(decoded) && !folded.split('/').some((segment) => dotSegment.test(segment))
}

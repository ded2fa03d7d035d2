import { malformed } from '../src/domain/errors.js'

const deepest = 32
const forbiddenNames = new Set(['__proto__', 'constructor'])
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const notJson = 'The body is not valid JSON'

/**
 * RFC 8259, and stricter where JSON.parse resolves an ambiguity silently: duplicate names, nesting deeper than 32, the
 * names `__proto__` and `constructor`, NUL and lone surrogates in any string, invalid UTF-8.
 * @throws AuthError malformed; it never quotes the text, which may hold a secret
 */
export function parseJsonText(bytes: Uint8Array): unknown {
  const text = decode(bytes)
  const value = parse(text)
  inspect(text)
  return value
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw malformed('The body is not valid UTF-8')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text.
    throw malformed(notJson)
  }
}

/** The names seen so far in an object; null for an array. */
type Container = Set<string> | null

/** Walks once through a text that is known to be JSON: only its strings and brackets are of interest. */
function inspect(text: string): void {
  const open: Container[] = []
  let isNameNext = false
  for (let i = 0; i < text.length; i += 1) {
    switch (text.charAt(i)) {
      case '{':
      case '[':
        open.push(text.charAt(i) === '{' ? new Set() : null)
        if (open.length > deepest) throw malformed(`The body is nested deeper than ${deepest}`)
        isNameNext = text.charAt(i) === '{'
        break
      case '}':
      case ']':
        open.pop()
        isNameNext = false
        break
      case ',':
        isNameNext = open.at(-1) instanceof Set
        break
      case '"': {
        const end = endOfString(text, i)
        const content = stringBetween(text, i, end)
        if (isNameNext) noteName(open.at(-1), content)
        isNameNext = false
        i = end
        break
      }
    }
  }
}

/** @returns where the closing quote stands */
function endOfString(text: string, start: number): number {
  let end = start + 1
  while (text.charAt(end) !== '"') end += text.charAt(end) === '\\' ? 2 : 1
  return end
}

const unfit = /[\0\p{Surrogate}]/u

function stringBetween(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  // Without an escape neither can stand in JSON that came as valid UTF-8.
  if (!raw.includes('\\')) return raw
  const content = String(JSON.parse(text.slice(start, end + 1)))
  if (unfit.test(content)) throw malformed('The body has a NUL or half a surrogate pair in a string')
  return content
}

function noteName(names: Container | undefined, name: string): void {
  if (forbiddenNames.has(name)) throw malformed(`The body has a member named ${name}`)
  if (names?.has(name)) throw malformed('The body has two members of one name')
  names?.add(name)
}

import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { parseJsonText } from '../../plugins/json-text.js'
import { AuthError } from '../../src/domain/errors.js'

const parse = (text: string): unknown => parseJsonText(Buffer.from(text))
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

await t.test('what JSON.parse reads, we read alike', (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(4), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      // Drawn now and then on purpose; what becomes of them is tried below.
      fc.pre(!/"(__proto__|constructor)"/.test(text))
      return isDeepStrictEqual(parse(text), JSON.parse(text))
    }),
    { numRuns: 1000, examples: [[{ a: { a: [{ a: 'a' }, { a: 1 }] }, b: 'a' }, 0]] },
  )
  t.end()
})

await t.test('any text at all is read as JSON.parse reads it, or refused as malformed', (t) => {
  const scraps = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '"\\u0061"', '\\', '1', 'true', ' ', '\n', '"__proto__"', '"\\""')
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.array(scraps, { maxLength: 12 }).map((parts) => parts.join('')))
  fc.assert(
    fc.property(texts, (drawn) => {
      const text = Buffer.from(drawn).toString()
      const ours = outcome(() => parse(text))
      if (ours.error !== undefined) return ours.error instanceof AuthError && ours.error.code === 'malformed'
      return isDeepStrictEqual(ours.value, JSON.parse(text))
    }),
    { numRuns: 2000 },
  )
  t.end()
})

/** A text and whether it must be refused, both made from one tree. */
interface Sample {
  readonly text: string
  readonly isBad: boolean
}

await t.test('duplicate and forbidden names, NUL and half pairs are refused wherever and however they are written, and nothing else is', (t) => {
  const texts = ['a', 'b', 'c', 'a"', 'a\\', '\\', '{', ',', 'é', '😀', 'proto', '__proto__', 'constructor', '\0', '\ud800', '\udc00x']
  const isUnfit = (text: string): boolean => text.includes('\0') || /^[\ud800\udc00]/.test(text)
  const written = (text: string, escaped: boolean): string =>
    escaped
      ? `"${Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
      : JSON.stringify(text)
  const string = fc.tuple(fc.constantFrom(...texts), fc.boolean())
  const { value } = fc.letrec<{ value: Sample }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom('1', 'true', 'null', '-0.5e3').map((text) => ({ text, isBad: false })),
      string.map(([text, escaped]) => ({ text: written(text, escaped), isBad: isUnfit(text) })),
      fc.array(tie('value'), { maxLength: 4 }).map((items) => ({ text: `[${items.map(({ text }) => text).join(' , ')}]`, isBad: items.some(({ isBad }) => isBad) })),
      fc.array(fc.tuple(string, tie('value')), { maxLength: 4 }).map((members) => {
        const names = members.map(([[name]]) => name)
        return {
          text: `{${members.map(([[name, escaped], { text }]) => `${written(name, escaped)}:${text}`).join(',')}}`,
          isBad:
            new Set(names).size < names.length ||
            names.some((name) => name === '__proto__' || name === 'constructor' || isUnfit(name)) ||
            members.some(([, { isBad }]) => isBad),
        }
      }),
    ),
  }))
  let refused = 0
  let read = 0
  fc.assert(
    fc.property(value, ({ text, isBad }) => {
      if (isBad) refused += 1
      else read += 1
      return (outcome(() => parse(text)).error !== undefined) === isBad
    }),
    { numRuns: 3000 },
  )
  t.ok(refused > 300 && read > 300, 'both kinds were tried')
  t.end()
})

const refusals: [why: string, text: string, reason: string][] = [
  ['no JSON', '{"pin":0000}', 'The body is not valid JSON'],
  ['white space only', '  ', 'The body is not valid JSON'],
  ['a byte order mark', '\ufeff{}', 'The body is not valid JSON'],
  ['a member twice', '{"a":1,"a":1}', 'The body has two members of one name'],
  ['a member twice, once escaped', '{"a":1,"\\u0061":1}', 'The body has two members of one name'],
  ['a member twice, further down', '{"x":[{"a":1,"b":{},"a":1}]}', 'The body has two members of one name'],
  ['__proto__', '{"__proto__":{}}', 'The body has a member named __proto__'],
  ['__proto__, escaped', '{"\\u005f_proto__":{}}', 'The body has a member named __proto__'],
  ['constructor', '[{"x":{"constructor":{"prototype":{}}}}]', 'The body has a member named constructor'],
  ['constructor with a plain value', '{"constructor":"x"}', 'The body has a member named constructor'],
  ['NUL in a string', '{"a":"x\\u0000"}', 'The body has a NUL or half a surrogate pair in a string'],
  ['NUL in a name', '{"\\u0000":1}', 'The body has a NUL or half a surrogate pair in a string'],
  ['a high surrogate alone', '{"a":"\\ud83d"}', 'The body has a NUL or half a surrogate pair in a string'],
  ['a low surrogate alone', '{"a":"\\ude00\\ud83d"}', 'The body has a NUL or half a surrogate pair in a string'],
  ['33 levels', nested(33), 'The body is nested deeper than 32'],
  ['33 levels below a member', `{"a":${nested(32)}}`, 'The body is nested deeper than 32'],
  ['8,000 levels', nested(8000), 'The body is nested deeper than 32'],
]
for (const [why, text, reason] of refusals) {
  await t.test(`${why}: malformed, in plain words`, (t) => {
    t.throws(() => parse(text), { code: 'malformed', reason })
    t.end()
  })
}

await t.test('bytes that are not UTF-8: malformed', (t) => {
  for (const bytes of [[0x22, 0xff, 0x22], [0x22, 0xc0, 0xaf, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xe2, 0x82]]) {
    t.throws(() => parseJsonText(Uint8Array.from(bytes)), { code: 'malformed', reason: 'The body is not valid UTF-8' })
  }
  t.end()
})

await t.test('what only looks forbidden is read', (t) => {
  t.strictSame(parse(nested(32)), JSON.parse(nested(32)))
  t.strictSame(parse('{"a":"__proto__","b":["constructor","constructor"]}'), { a: '__proto__', b: ['constructor', 'constructor'] })
  t.strictSame(parse('[{"a":1},{"a":1}]'), [{ a: 1 }, { a: 1 }])
  t.strictSame(parse('{"a":{"a":"a"},"b":"\\"a\\":1,"}'), { a: { a: 'a' }, b: '"a":1,' })
  t.strictSame(parse('"\\ud83d\\ude00"'), '😀')
  t.end()
})

await t.test('no refusal quotes what was sent', (t) => {
  for (const text of ['{"pin":"0000"', '{"pin":"0000","pin":"0000"}', '{"pin":"0000\\u0000"}', '0000x']) {
    const { error } = outcome(() => parse(text))
    t.ok(error instanceof AuthError)
    if (error instanceof AuthError) t.notMatch(`${error.message} ${error.reason ?? ''} ${error.stack ?? ''} ${String(error.cause)}`, /0000/)
  }
  t.end()
})

function outcome(attempt: () => unknown): { value?: unknown; error?: unknown } {
  try {
    return { value: attempt() }
  } catch (error) {
    return { error }
  }
}

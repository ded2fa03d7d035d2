import type { TestApp } from './app.js'

export interface BadBody {
  readonly what: string
  /** As it goes over the wire. */
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly status: 400 | 413 | 415
  /** What the answer says. */
  readonly reason: string
}

const notAString: unknown[] = [1234, null, true, [], ['a'], {}, { $ne: null }, { $gt: '' }, 1e400]

/**
 * Everything that no body with these members may be, and what is said of it.
 * @param good a body that would be taken; each member is a string
 * @param required the members that must be there
 */
export function badBodies(good: Readonly<Record<string, string>>, required: readonly string[] = Object.keys(good)): BadBody[] {
  const json = JSON.stringify(good)
  const withMember = (member: string) => `${json.slice(0, -1)},${member}}`
  const bad = (what: string, body: string | Buffer, reason: string): BadBody => ({ what, body, status: 400, reason })
  return [
    ...['{', '', json.slice(0, -1), `${json}}`, `'${json}'`, '{username:"x"}', 'undefined', 'NaN', '\u0001'].filter((body) => body !== '').map((body) => bad(`not JSON: ${body.slice(0, 20)}`, body, 'The body is not valid JSON')),
    ...['null', '[]', `[${json}]`, '"text"', '1', 'true'].map((body) => bad(`no object: ${body.slice(0, 20)}`, body, 'The body must be an object')),
    ...required.map((name) => bad(`${name} missing`, JSON.stringify({ ...good, [name]: undefined }), `${name} is required`)),
    ...Object.keys(good).flatMap((name) => notAString.map((value) => bad(`${name} is ${JSON.stringify(value)}`, JSON.stringify({ ...good, [name]: value }), `${name} must be a string`))),
    ...Object.keys(good).map((name) => bad(`${name} twice`, withMember(`${JSON.stringify(name)}:"other"`), 'The body has two members of one name')),
    ...Object.keys(good).map((name) => bad(`${name} twice, once escaped`, withMember(`"${escaped(name)}":"other"`), 'The body has two members of one name')),
    bad('an unknown member twice', withMember('"x":1,"x":1'), 'The body has two members of one name'),
    bad('__proto__', withMember('"__proto__":{"isAdmin":true}'), 'The body has a member named __proto__'),
    bad('__proto__, escaped and deep', withMember('"x":[{"\\u005f_proto__":1}]'), 'The body has a member named __proto__'),
    bad('constructor', withMember('"constructor":{"prototype":{}}'), 'The body has a member named constructor'),
    bad('NUL', withMember('"x":"a\\u0000b"'), 'The body has a NUL or half a surrogate pair in a string'),
    bad('a lone surrogate', withMember('"x":"\\ud800"'), 'The body has a NUL or half a surrogate pair in a string'),
    bad('nested too deep, where nobody looks', withMember(`"x":${'['.repeat(32)}${']'.repeat(32)}`), 'The body is nested deeper than 32'),
    bad('invalid UTF-8', Buffer.concat([Buffer.from(`${json.slice(0, -1)},"x":"`), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]), 'The body is not valid UTF-8'),
    bad('UTF-16', Buffer.from(json, 'utf16le'), 'The body is not valid JSON'),
    ...wrongEnvelopes(json),
  ]
}

const escaped = (name: string): string => `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`

function wrongEnvelopes(json: string): BadBody[] {
  const unsupported = (what: string, headers: Record<string, string>): BadBody => ({ what, body: json, headers, status: 415, reason: 'Unsupported media type' })
  return [
    unsupported('text/plain', { 'content-type': 'text/plain' }),
    unsupported('a form', { 'content-type': 'application/x-www-form-urlencoded' }),
    unsupported('multipart', { 'content-type': 'multipart/form-data; boundary=x' }),
    unsupported('another JSON', { 'content-type': 'application/vnd.api+json' }),
    unsupported('another charset', { 'content-type': 'application/json; charset=utf-16' }),
    unsupported('no media type', { 'content-type': '' }),
    unsupported('compressed', { 'content-encoding': 'gzip' }),
    { what: 'more than 16 KiB', body: JSON.stringify({ ...(JSON.parse(json) as object), x: 'x'.repeat(16_384) }), status: 413, reason: 'Request body too large' },
  ]
}

/** Sends a bad body as it stands. */
export async function sendBad({ url }: Pick<TestApp, 'url'>, path: string, { body, headers = {} }: Pick<BadBody, 'body' | 'headers'>, more: Readonly<Record<string, string>> = {}) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const response = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers, ...more }, body: new Uint8Array(bytes) })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** What no name and no password may do harm with: each goes through as an ordinary wrong one. */
export const hostileTexts = [
  "' OR '1'='1",
  "'; DROP TABLE users; --",
  '" OR ""="',
  'admin\u0027--',
  '%00',
  '${jndi:ldap://127.0.0.1/x}',
  '{{7*7}}',
  '<script>alert(1)</script>',
  '../../etc/passwd',
  '\r\nSet-Cookie: x=y',
  '\u202egnp.exe',
  '\ufeffjane.doe',
  'jane.doe\u200b',
  'jаne.doe', // with a Cyrillic а
  '__proto__',
  'constructor',
  '',
  ' ',
  '\u{10ffff}',
]

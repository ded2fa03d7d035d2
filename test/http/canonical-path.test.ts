import t from 'tap'
import { canonicalCheck, pathAllowances } from '../../src/http/canonical-path.js'

const isCanonical = canonicalCheck(['space'])
const isStrict = canonicalCheck([])
const isLenient = canonicalCheck(pathAllowances)

await t.test('a path that every server reads in one way is canonical', (t) => {
  const uris = ['/', '/orders', '/orders/', '/orders/7?page=2&q=a%2Fb%00', '/orders/.hidden/..a/a..b/...', '/a/~b/-_!$&\'()*+,=:@', '/caf%C3%A9/%E6%97%A5', '/%f0%9f%8d%8b', '/a%3Db%26c%40d%3Ae', '/a?x=/../b', '/a%22%3C%3E', '/a%20b']
  for (const uri of uris) t.ok(isCanonical(uri), uri)
  t.end()
})

await t.test('a path that two servers may read differently is not [attack:original-uri-read-twice]', (t) => {
  const uris = [
    '', 'orders', '?a=b', '*', 'http://x/a', 'HTTP://x/a', '//x/a', '/a//b', '/a///', '/./a', '/a/.', '/a/..', '/../a', '/a/../b',
    '/orders/x/..;/admin/', '/orders/x/..;a=b/admin/', '/orders/.;/x', '/orders/;/x', '/orders;x/admin', '/orders/x/..%3b/admin', '/orders/x/..%3B', '/a%3Bb',
    '/orders/x/%u002e%u002e/admin', '/%u002e', '/a%', '/a%2', '/a%zz', '/%%32%65', '/a%2 b',
    '/orders/x/%c0%ae%c0%ae/admin', '/%c0%ae', '/%C0%AF', '/%e0%80%ae', '/%ff', '/%ed%a0%80', '/%80', '/a%c3',
    '/orders/x/..%09/admin', '/..%09', '/%09', '/a%00b', '/a%0ab', '/a%0D%0Ab', '/a%1f', '/a%7f', '/a%c2%85b', '/a%e2%80%a8b', '/a%e2%80%8bb', '/a%ef%bb%bfb',
    '/orders/x/..%20/admin', '/%20', '/a/%20b', '/a%20/b', '/..%20', '/a/%c2%a0..%c2%a0/b',
    '/%2e%2E/a', '/%2e', '/a/%2E%2e/', '/.%2e/a', '/%252e%252e/a', '/a%25b', '/%61dmin', '/adm%49n', '/a%2db', '/a%5Fb', '/a%7Eb',
    '/a%2fb', '/a%2Fb', '/..%2fadmin', '/a\\b', '/a%5cb', '/..\\admin', '/a#b', '/a?b#c', '/a%23b', '/a%3fb',
    '/a b', '/a\tb', '/caf\u00e9', '/a\u0000', '/a?b\u00e9',
    '/%ef%bc%8e%ef%bc%8e/a', '/%e2%80%a5/a', '/a%ef%bc%8fb', '/a%ef%bc%bcb',
  ]
  for (const uri of uris) t.notOk(isCanonical(uri), JSON.stringify(uri))
  t.end()
})

await t.test('what is allowed is allowed inside a segment only, and hides no dot segment', (t) => {
  for (const uri of ['/a%20b', '/a%2Fb', '/a;v=1/b', '/a/b;jsessionid=7']) t.notOk(isStrict(uri), uri)
  for (const uri of ['/a%20b', '/a%2Fb', '/a%2fb/c', '/a;v=1/b', '/a/b;jsessionid=7', '/a%20b%2Fc;d/']) t.ok(isLenient(uri), uri)
  for (const uri of ['/%2F', '/a%2F', '/a/%2Fb', '/a%2F%2Fb', '/a%2F..%2Fb', '/..%2Fa', '/a%2F.', '/a/..;b', '/a/.;', '/;a', '/a/;b/c', '/%20', '/a/%20', '/a%20;b', '/..%20', '/a%3bb', '/a%2F..;x/b', '/a%255c', '/a%252Fb']) {
    t.notOk(isLenient(uri), uri)
  }
  t.end()
})

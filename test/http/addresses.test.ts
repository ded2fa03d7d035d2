import t from 'tap'
import { addressMatcher, plainAddress } from '../../src/http/addresses.js'

await t.test('an address is read as sockets and proxies write it', (t) => {
  const cases: [written: string | undefined, address: string | null][] = [
    ['203.0.113.1', '203.0.113.1'], ['203.0.113.1:51111', '203.0.113.1'], ['"203.0.113.1:51111"', '203.0.113.1'], [' 203.0.113.1 ', '203.0.113.1'],
    ['2001:db8::1', '2001:db8::1'], ['[2001:db8::1]', '2001:db8::1'], ['[2001:db8::1]:443', '2001:db8::1'], ['"[2001:db8::1]:443"', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'], ['[fe80::1%eth0]:80', 'fe80::1'],
    ['::ffff:203.0.113.1', '203.0.113.1'], ['::FFFF:203.0.113.1', '203.0.113.1'], ['::ffff:cb00:7101', '203.0.113.1'], ['[::ffff:203.0.113.1]:80', '203.0.113.1'], ['0:0:0:0:0:ffff:203.0.113.1', '203.0.113.1'],
    ['::1', '::1'], ['64:ff9b::203.0.113.1', '64:ff9b::203.0.113.1'],
    ['unknown', null], ['_hidden', null], ['', null], [undefined, null], ['203.0.113.1:', null], ['203.0.113.1:x', null], ['203.0.113.256', null], ['[203.0.113.1', null], ['[]', null], ['[x]:1', null], ['for=203.0.113.1', null], ['203.0.113.1, 10.0.0.1', null],
  ]
  for (const [written, address] of cases) t.equal(plainAddress(written), address, String(written))
  t.end()
})

await t.test('a list of proxies is asked in any spelling', (t) => {
  const isListed = addressMatcher(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::ffff:172.16.0.0/108', '::ffff:198.51.100.1'])
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '10.1.2.3:80', '192.0.2.7', '[2001:db8:1::2]:443', '172.16.3.4', '::ffff:ac10:304', '198.51.100.1']) t.ok(isListed(address), address)
  for (const address of ['11.0.0.1', '192.0.2.8', '2001:db9::1', '172.32.0.1', 'unknown', '', undefined]) t.notOk(isListed(address), String(address))
  t.notOk(addressMatcher(null)('127.0.0.1'))
  t.end()
})

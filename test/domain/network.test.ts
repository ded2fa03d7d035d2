import fc from 'fast-check'
import t from 'tap'
import { networkOf, networksAround } from '../../src/domain/network.js'

await t.test('an IPv4 address stands for itself, however it is written', (t) => {
  t.equal(networkOf('192.0.2.1'), '192.0.2.1')
  for (const ip of ['::ffff:192.0.2.1', '::FFFF:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:ffff:c000:0201']) t.equal(networkOf(ip), '192.0.2.1', ip)
  t.end()
})

await t.test('an IPv6 address stands for its /64', (t) => {
  const cases: [string, string][] = [
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1:2:3:4::', '1:2:3:4::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ]
  for (const [ip, network] of cases) t.equal(networkOf(ip), network, ip)
  t.end()
})

await t.test('every spelling of one address has one network', (t) => {
  fc.assert(
    fc.property(fc.ipV6(), (ip) => networkOf(ip) === networkOf(new URL(`http://[${ip}]`).hostname.slice(1, -1))),
    { numRuns: 2000 },
  )
  t.end()
})

await t.test('what is no address is a place of its own', (t) => {
  t.equal(networkOf('junk'), 'junk')
  t.end()
})

await t.test('a network lies in wider ones, the widest first', (t) => {
  t.same(networksAround(networkOf('2001:db8:7:12ab::9')), ['2001:db8:7::/48', '2001:db8:7:1200::/56', '2001:db8:7:12ab::/64'])
  t.same(networksAround(networkOf('::1')), ['0:0:0::/48', '0:0:0:0::/56', '0:0:0:0::/64'])
  t.same(networksAround(networkOf('::ffff:203.0.113.77')), ['203.0.113.0/24', '203.0.113.77'])
  t.same(networksAround('operator'), ['operator'])
  t.end()
})

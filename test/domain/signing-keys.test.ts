import { createHash } from 'node:crypto'
import t from 'tap'
import { kidOf } from '../../src/domain/signing-keys.js'

void t.test('no id of a key looks like an option of a command', (t) => {
  const keys = Array.from({ length: 1000 }, (_, index) => Buffer.from(String(index)))
  const awkward = keys.filter((key) => createHash('sha256').update(key).digest('base64url').startsWith('-'))
  t.not(awkward.length, 0)
  for (const key of keys) t.match(kidOf(key), /^\w[\w-]{21}$/)
  t.end()
})

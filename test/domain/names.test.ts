import fc from 'fast-check'
import t from 'tap'
import { foldName } from '../../src/domain/name-folding.js'
import { hasOneWriting } from '../../src/domain/name-scripts.js'
import { emailIdentifier, newEmail, newUsername, usernameIdentifier } from '../../src/domain/identifiers.js'

void t.test('names that a reader takes for one fold to one [attack:names-that-fold-to-one]', (t) => {
  const alike = [
    ['ΟΔΟΣ', 'οδος', 'οδοσ', 'Οδός'.normalize('NFD').replace(/\u0301/g, '')],
    ['ΣΣΣ', 'σσς', 'ςςς'],
    ['straße', 'STRASSE', 'strasse', 'STRAẞE', 'Straſſe'],
    ['admi̇n', 'admin', 'ADMİN', 'ADMIN', 'admın'],
    ['i̇', 'İ', 'i', 'I', 'ı'],
    ['ﬁx', 'fix', 'FIX'],
    ['ŉ', 'ʼn', 'ʼN'],
    ['ᾳ', 'αι', 'ΑΙ'],
    ['և', 'եւ', 'ԵՒ'],
    ['ǰ', 'ǰ', 'J̌'],
    ['ꮿ', 'Ꮿ'],
    ['Åse', 'åse', 'Åse', 'ÅSE'],
  ]
  for (const names of alike) t.equal(new Set(names.map(foldName)).size, 1, `${names.join(' ')} → ${[...new Set(names.map(foldName))].join(' ')}`)
  for (const [one, other] of [['jose', 'josé'], ['a', 'ä'], ['oo', 'o'], ['и', 'й'], ['か', 'が'], ['jan', 'jän']] as const) t.not(foldName(one), foldName(other))
  t.end()
})

void t.test('folding is the same in every case and every form, and twice is once', (t) => {
  const same = (given: string, other: string) => foldName(given) === foldName(other)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (given) => {
      return same(given, given.normalize('NFD')) && same(given, given.normalize('NFC')) && same(given, foldName(given)) && same(given, given.toLowerCase())
    }),
    { numRuns: 2000 },
  )
  for (let point = 0; point < 0x2ffff; point += 1) {
    if (point >= 0xd800 && point <= 0xdfff) continue
    const letter = String.fromCodePoint(point)
    if (!same(letter, foldName(letter)) || !same(letter, letter.toLowerCase())) t.fail(`U+${point.toString(16)}`)
  }
  t.end()
})

void t.test('a name of scripts that pass for each other is refused, one of scripts written together is not [attack:names-of-mixed-scripts]', (t) => {
  const together = ['jane', 'josé', 'иван', 'οδος', '李小龍', 'さくらカナ漢字', 'ㄅㄆ漢', '김철수金', 'abc漢字かな', 'jane_일', 'אברהם', 'محمد', 'jane.שלום', 'หญิง', 'नाम', 'ᎠᎡ', 'ⲁⲃ', "o'neil-2 x", 'x٣', 'ーかな', '𝒾']
  for (const name of together) t.ok(hasOneWriting(name.normalize('NFKC')), name)
  const mixed = ['аdmin', 'admіn', 'pаypal', 'οnе', 'ivanив', 'αβa', 'ադadmin', 'Ꭰdmin', 'ivan иван', 'αи', 'абγ', 'ⲁdmin', 'שлом', 'かなㄅ', '한かな', 'หน김', 'नाখ', 'ꓮbc']
  for (const name of mixed) {
    t.notOk(hasOneWriting(name), name)
    t.throws(() => newUsername(name), { code: 'malformed', message: /./ }, name)
    t.throws(() => newEmail(`${name.replaceAll(' ', '')}@example.com`), { code: 'malformed' }, name)
  }
  t.throws(() => newEmail('admin@exаmple.com'), { code: 'malformed' }, 'in the domain too')
  t.match(newEmail('иван@example.com'), { canonical: 'иван@example.com' }, 'each word by itself')
  t.throws(() => newUsername('\u0301jane'), { code: 'malformed' }, 'a mark on nothing')
  t.end()
})

void t.test('what is looked for keeps its own spelling beside the folded one', (t) => {
  t.strictSame(usernameIdentifier('STRAßE'), { by: 'username', canonical: 'straße', folded: 'strasse' })
  t.strictSame(emailIdentifier('A@B.C'), { by: 'email', canonical: 'a@b.c', folded: 'a@b.c' })
  t.strictSame(usernameIdentifier('no name '), { by: 'username', canonical: 'no name ', folded: 'no name ' })
  t.end()
})

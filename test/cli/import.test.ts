import argon2 from 'argon2'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { startTestApp } from '../support/app.js'
import { cliBeside, jsonOf } from '../support/cli.js'
import { fateOf } from '../support/clients.js'
import { logIn } from '../support/log-in.js'

const password = 'a password of enough length'
const hidden = 'tr0ub4dor and three'

void t.test('tessera user import', async (t) => {
  const node = await startTestApp(t)
  const tessera = cliBeside(node)
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-import-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const { users } = node.core.service.repository
  const userNamed = (canonical: string) => users.findByIdentifier({ by: 'username', canonical, folded: canonical })
  const countUsers = async () => (await users.list({ after: null, limit: 1000 })).length

  async function fileOf(name: string, lines: readonly unknown[]): Promise<string> {
    const file = path.join(folder, name)
    await writeFile(file, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
    return file
  }

  await t.test('every line becomes a user, with the secrets, role and status it gives', async (t) => {
    const hash = await argon2.hash('a password from elsewhere', { memoryCost: 2048, timeCost: 2, parallelism: 2 })
    const file = await fileOf('good', [
      { username: 'One', email: 'One@example.com', password, pin: '1234', role: 'admin' },
      { username: 'two', password_hash: hash, email: null },
      '',
      { email: 'three@example.com', password, status: 'suspended' },
      '  ',
    ])
    t.strictSame(await tessera(['user', 'import', file]), { status: 0, stdout: '3 imported\n', stderr: '' })
    t.match(await userNamed('one'), { username: 'One', email: 'One@example.com', role: 'admin', status: 'active' })
    t.equal(await fateOf(logIn(node, 'one', password)), 'alive')
    t.equal(await fateOf(logIn(node, 'one', '1234', 'pin')), 'alive')
    t.equal(await fateOf(logIn(node, 'two', 'a password from elsewhere')), 'alive')
    t.equal(await fateOf(logIn(node, 'two', hash)), 'invalid_credentials')
    t.match(await users.findByIdentifier({ by: 'email', canonical: 'three@example.com', folded: 'three@example.com' }), { username: null, role: 'user', status: 'suspended' })
    t.equal(await fateOf(logIn(node, 'three@example.com', password)), 'invalid_credentials')
  })

  await t.test('a bad line is told by its number, every one of them, and nobody is created', async (t) => {
    const before = await countUsers()
    const file = await fileOf('bad', [
      { username: 'fine', password },
      `{"username":"broken","password":"${hidden}"`,
      ['an', 'array'],
      { username: 'short', password: 'tr0ub' },
      { username: 'both', password, password_hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g' },
      { username: 'bcrypt', password_hash: '$2b$10$abcdefghijklmnopqrstuv' },
      { username: 'number', pin: 1234 },
      { username: 'typing', pasword: hidden },
      { username: 'root', role: 'root' },
      { username: 'gone', status: 'deleted' },
      { email: 'pin@example.com', pin: '1234' },
      { password },
      { username: 'FINE' },
      { username: 'One' },
      { username: 'new', email: 'three@EXAMPLE.com' },
      '{"username":"nul","password":"\\u0000 and more of it"}',
      '{"username":"surrogate","password":"\\ud800 and more of it"}',
      '{"username":"proto","__proto__":"x"}',
      'null',
    ])
    const run = await tessera(['user', 'import', file])
    t.match(run, { status: 1, stdout: /^0 imported, 18 failed\n$/ })
    const [last, ...lines] = run.stderr.trimEnd().split('\n').reverse()
    t.equal(last, 'Nothing was imported.')
    t.strictSame(lines.reverse().map((line) => line.replace(/ \(.*/, '')), [
      'line 2: it is not JSON',
      'line 3: it is not a JSON object',
      'line 4: password must have 8 to 128 characters',
      'line 5: give a password or the hash of one, not both',
      'line 6: password_hash must be an argon2id hash such as $argon2id$v=19$m=19456,t=2,p=1$«salt»$«hash»',
      'line 7: pin must be a string',
      'line 8: there is no member "pasword": only username, email, password, password_hash, pin, role, status, id, email_verified, created_at',
      'line 9: role must be one of user, admin',
      'line 10: status must be one of active, suspended',
      'line 11: a PIN is used with a username: give one',
      'line 12: a user needs a username, an email or both',
      'line 13: the username or email stands in line 1 already',
      'line 14: the username or email is taken',
      'line 15: the username or email is taken',
      'line 16: password must not contain NUL or half of a surrogate pair',
      'line 17: password must not contain NUL or half of a surrogate pair',
      'line 18: there is no member "__proto__": only username, email, password, password_hash, pin, role, status, id, email_verified, created_at',
      'line 19: it is not a JSON object',
    ])
    t.notMatch(run.stderr, /tr0ub/, 'no secret is repeated')
    t.equal(await countUsers(), before)
  })

  await t.test('a file of another kind is told in one line that names what it looks like [attack:import-of-another-kind]', async (t) => {
    const people = Array.from({ length: 3000 }, (_, index) => ({ username: `person${index}`, password: hidden }))
    const kinds: [string, string, RegExp][] = [
      ['array', JSON.stringify(people), /the file is a JSON array: give one JSON object a line/],
      ['pretty array', JSON.stringify(people, null, 2), /the file is a JSON array/],
      ['broken array', `[\n${people.map((person) => JSON.stringify(person)).join(',\n')}`, /the file is a JSON array/],
      ['empty array', '[]', /the file is a JSON array/],
      ['pretty object', people.map((person) => JSON.stringify(person, null, 4)).join('\n'), /the file is JSON over several lines: give one JSON object a line/],
      ['csv', `username,email,password\n${people.map(({ username }) => `${username},,${hidden}`).join('\n')}`, /the file is a table, such as CSV/],
      ['excel', `"Name";"E-Mail";"Passwort"\r\n"jane";"jane@example.com";"${hidden}"\r\n`, /the file is a table, such as CSV/],
      ['tsv', `email\tpassword\nx@example.com\t${hidden}\n`, /the file is a table, such as CSV/],
      ['xml', `<?xml version="1.0"?>\n<users><user password="${hidden}"/></users>`, /the file is XML or HTML/],
    ]
    for (const [name, content, message] of kinds) {
      const run = await tessera(['user', 'import', await fileOf(name, [content])])
      t.match(run, { status: 1, stdout: '', stderr: message }, name)
      t.equal(run.stderr.trimEnd().split('\n').length, 1, name)
      t.notMatch(run.stderr, /tr0ub/, name)
    }
    const run = await tessera(['user', 'import', await fileOf('noise', Array.from({ length: 20_004 }, () => 'no json at all'))])
    t.equal(run.stderr.trimEnd().split('\n').length, 22, 'lines that all fail alike are not told one by one')
    t.match(run.stderr, /line 20: it is not JSON\n19984 more lines: it is not JSON/)
  })

  await t.test('what is plainly a hash is no password, wherever one is set [attack:hash-taken-for-a-password]', async (t) => {
    const hashes = [
      '$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW', '$2y$10$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2g',
      '$scrypt$ln=16,r=8,p=1$c2FsdA$aGFzaA', 'pbkdf2_sha256$870000$salt$aGFzaA==', '$pbkdf2-sha512$25000$c2FsdA$aGFzaA', 'scrypt:32768:8:1$salt$abcdef', '$6$rounds=5000$salt$hash', '$1$salt$hash',
      '$P$B55D6LjfHDkINU5wF.v2BuuzO0/XPk/', '$wp$2y$10$abc', '{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3', 'bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv', 'SCRAM-SHA-256$4096:salt$stored:server', 'argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA', ' $2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW\t',
    ]
    const run = await tessera(['user', 'import', await fileOf('hashes', hashes.map((hash, index) => ({ email: `hash${index}@example.com`, password: hash })))])
    t.equal(run.status, 1)
    const lines = run.stderr.trimEnd().split('\n')
    for (const [index] of hashes.entries()) t.match(lines[index], new RegExp(`^line ${index + 1}: password is the hash of a password \\(.+\\): give the password itself; tessera user import takes an argon2id hash as password_hash$`))
    t.notMatch(run.stderr, /R9h/, 'and is not repeated')
    const [bcrypt = ''] = hashes
    t.match(await tessera(['user', 'create', '--username', 'hashed', '--password', bcrypt]), { status: 1, stderr: /password is the hash of a password \(bcrypt\)/ })
    t.match(await tessera(['user', 'set-password', '--username', 'one', '--password-stdin'], { input: `${bcrypt}\n` }), { status: 1, stderr: /password is the hash of a password \(bcrypt\)/ })
    const fine = ['$2a$12$ is a cost', '5f4dcc3b5aa765d61d8327deb882cf99', '$1 for the jar $', '{secret} and more', 'scrypt is nice', 'md5 or sha1, who knows']
    t.match(await tessera(['user', 'import', await fileOf('fine', fine.map((one, index) => ({ username: `fine${index}`, password: one })))]), { status: 0, stdout: `${fine.length} imported\n` })
  })

  await t.test('--skip-existing takes up what is left', async (t) => {
    const file = await fileOf('again', [{ username: 'one', password: hidden }, { username: 'four', password }, { username: 'TWO' }])
    const run = await tessera(['user', 'import', file, '--skip-existing', '--json'])
    t.match(run, { status: 0, stderr: /^$/ })
    const four = await userNamed('four')
    t.strictSame(jsonOf(run), {
      imported: [{ line: 2, id: four?.id }],
      skipped: [{ line: 1, reason: 'the username or email is taken' }, { line: 3, reason: 'the username or email is taken' }],
      failed: [],
    })
    t.equal(await fateOf(logIn(node, 'one', password)), 'alive', 'who was there is left alone')
  })

  await t.test('the lines may come from stdin', async (t) => {
    const run = await tessera(['user', 'import', '-'], { input: '\uFEFF{"username":"five"}\r\n{"username":"six"}\r\n' })
    t.strictSame(run, { status: 0, stdout: '2 imported\n', stderr: '' })
    t.ok(await userNamed('six'))
    t.strictSame(await tessera(['user', 'import', '-'], { input: '' }), { status: 0, stdout: '0 imported\n', stderr: '' })
  })

  await t.test('a line that is taken by somebody else in the very moment is told, and the others are created', async (t) => {
    // Two imports of the same people at once: each line is created by exactly one of them.
    const names = Array.from({ length: 40 }, (_, index) => ({ username: `racer${index}`, password }))
    const file = await fileOf('race', names)
    const runs = await Promise.all([1, 2].map(() => tessera(['user', 'import', file, '--skip-existing', '--json'])))
    const reports = runs.map((run) => jsonOf(run))
    t.equal(countOf(reports, 'imported'), 40)
    t.equal(countOf(reports, 'imported') + countOf(reports, 'skipped') + countOf(reports, 'failed'), 80, 'every line of both is accounted for')
    for (const { username } of names) t.ok(await userNamed(username))
    for (const run of runs) t.equal(run.status, countOf([jsonOf(run)], 'failed') > 0 ? 1 : 0)
  })

  await t.test('when the database fails in mid-import, what was done and what was not is told by line', async (t) => {
    const client = await node.database.client()
    await client.query(`
      create function fail_at_nine() returns trigger language plpgsql as
        $$ begin if new.username = 'late9' then raise exception using errcode = '53100', message = 'disk full'; end if; return new; end $$;
      create trigger fail_at_nine before insert on users for each row execute function fail_at_nine()`)
    const file = await fileOf('late', Array.from({ length: 30 }, (_, index) => ({ username: `late${index}` })))
    const run = await tessera(['user', 'import', file, '--json'], { environment: { HASH_CONCURRENCY: '1' } })
    t.equal(run.status, 1)
    const report = jsonOf(run)
    t.equal(countOf([report], 'imported'), 9)
    t.equal(countOf([report], 'failed'), 21)
    t.match(run.stderr, /^line 10: the database or the hash queue does not answer \(disk full\): try again\nline 11: not tried\n/)
    t.match(run.stderr, /Correct these lines and run the same again with --skip-existing\.\n$/)
    await client.query('drop trigger fail_at_nine on users')
    t.match(await tessera(['user', 'import', file, '--skip-existing']), { status: 0, stdout: /^21 imported, 9 skipped\n$/ })
    t.ok(await userNamed('late29'))
  })

  await t.test('a file that cannot be read is one line', async (t) => {
    const missing = path.join(folder, 'none')
    t.strictSame(await tessera(['user', 'import', missing]), { status: 1, stdout: '', stderr: `tessera: cannot read ${missing} (ENOENT)\n` })
    t.strictSame(await tessera(['user', 'import', '-'], { input: Buffer.from([0xc3, 0x28]) }), { status: 1, stdout: '', stderr: 'tessera: - is not UTF-8\n' })
  })
})

function countOf(reports: readonly unknown[], member: 'imported' | 'skipped' | 'failed'): number {
  return reports.reduce<number>((sum, report) => {
    const lines: unknown = typeof report === 'object' && report !== null ? Object.entries(report).find(([name]) => name === member)?.[1] : null
    return sum + (Array.isArray(lines) ? lines.length : NaN)
  }, 0)
}

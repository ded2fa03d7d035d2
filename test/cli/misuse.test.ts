import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { parseArguments, MisuseError, type Read } from '../../src/cli/arguments.js'
import type { Command } from '../../src/cli/parameters.js'
import { all, commands, email, expires, file, id, keyScopes, limit, newRole, password, passwordStdin, pin, role, sessionId, skipExisting, username, type Noun } from '../../src/cli/commands.js'
import { callOf, commandHelp, usageOf } from '../../src/cli/help.js'
import { packageRoot } from '../../src/package-root.js'
import { createCli } from '../support/cli.js'

/** Nothing but understanding happens here: there is no database to be opened. */
const cli = createCli({ DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none', MASTER_SECRET: 'x'.repeat(32) })

const nouns: Readonly<Record<string, Noun>> = commands
const everyCommand = Object.entries(nouns).flatMap(([noun, { verbs }]) => Object.entries(verbs).map(([verb, command]) => ({ noun, verb, command })))

const understand = (command: Command, ...args: string[]): Read => parseArguments(command, usageOf('tessera test', command), args)

void t.test('help is told on stdout, with status 0', async (t) => {
  const overview = await cli(['--help'])
  t.match(overview, { status: 0, stderr: /^$/ })
  for (const noun of Object.keys(commands)) t.match(overview.stdout, new RegExp(`^ {2}${noun} `, 'm'))
  t.strictSame(await cli(['-h']), overview)
  t.strictSame(await cli(['help']), overview)
  const noun = await cli(['user', '--help'])
  t.match(noun, { status: 0, stderr: /^$/, stdout: /Usage: tessera user COMMAND/ })
  for (const verb of Object.keys(commands.user.verbs)) t.match(noun.stdout, new RegExp(`^ {2}${verb} `, 'm'))
  const verb = await cli(['user', 'create', '--username', 'x', '-h'])
  t.match(verb, { status: 0, stderr: /^$/, stdout: /Usage: tessera user create \[--username NAME\] \[--email E\] \[--password P \| --password-stdin\] \[--pin N\] \[--role R\]\n/ })
  t.match(await cli(['doctor', '--help']), { status: 0, stdout: /Usage: tessera doctor\n/ })
})

void t.test('a reader that has read enough is no failure', async (t) => {
  const child = spawn(process.execPath, [path.join(packageRoot, 'dist/src/cli/main.js'), '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  t.strictSame(await once(child, 'close'), [0, null])
  t.equal(stderr, '')
})

void t.test('the version is that of the package', async (t) => {
  const run = await cli(['--version'])
  const [, version = 'none'] = /^tessera (\d+\.\d+\.\d+)\n$/.exec(run.stdout) ?? []
  t.ok((await readFile(path.join(packageRoot, 'package.json'), 'utf8')).includes(`"version": "${version}"`))
  t.match(run, { status: 0, stderr: /^$/ })
})

void t.test('help of every command names all its parameters', (t) => {
  for (const { noun, verb, command } of everyCommand) {
    const text = commandHelp(callOf(noun, verb), command)
    const declared: Command = command
    for (const entry of declared.parameters.flatMap((one) => ('oneOf' in one ? one.oneOf : [one]))) {
      t.ok(text.includes(entry.kind === 'argument' ? entry.name : `--${entry.name}`), `${noun} ${verb} ${entry.name}`)
      t.ok(text.includes(entry.description))
    }
  }
  t.end()
})

void t.test('what is misused is told on stderr in one line, with the usage, and status 2', async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /^tessera: say what to do\nUsage: tessera user\|session\|apikey\|client\|key\|migrate\|database\|audit\|doctor … /],
    [['users', 'list'], /^tessera: there is no such noun\nUsage: tessera user\|/],
    [['user'], /^tessera: say what to do\nUsage: tessera user create\|list\|/],
    [['user', 'crate'], /^tessera: there is no such command of user\nUsage: tessera user create\|list\|/],
    [['user', 'constructor'], /^tessera: there is no such command of user\n/],
    [['constructor'], /^tessera: there is no such noun\n/],
    [['user', 'show'], /^tessera: one of --username, --email, --id is missing\nUsage: tessera user show \(--username NAME \| --email E \| --id ID\)\n$/],
    [['migrate', 'now'], /^tessera: an argument without an option is given\nUsage: tessera migrate\n$/],
  ]
  for (const [args, message] of cases) t.match(await cli(args), { status: 2, stdout: /^$/, stderr: message }, args.join(' '))
})

void t.test('every way to misuse a command has its words', (t) => {
  const { create, show, list, 'set-role': setRole, 'set-pin': setPin, 'set-password': setPassword, import: importing } = commands.user.verbs
  const cases: [Command, string[], string][] = [
    [show, ['--user', 'ada'], 'there is no option --user'],
    [show, ['-u', 'ada'], 'there is no option -u'],
    [show, ['--username'], '--username needs a value: --username NAME (or --username=NAME if it begins with --)'],
    [show, ['--username', '--json'], '--username needs a value: --username NAME (or --username=NAME if it begins with --)'],
    [show, ['--username', 'ada', '--username', 'eve'], '--username is given twice'],
    [show, ['--username', 'ada', '--id', 'x'], 'only one of --username, --email, --id may be given'],
    [show, ['--username', 'ada', '--json=yes'], '--json takes no value'],
    [show, ['ada'], 'an argument without an option is given'],
    [create, ['--password', 'a', '--password-stdin'], 'only one of --password, --password-stdin may be given'],
    [create, ['--username', 'ada', '--role', 'root'], '--role must be one of user, admin'],
    [list, ['--limit', 'all'], '--limit must be a whole number from 1 to 10000000'],
    [list, ['--limit=0'], '--limit must be a whole number from 1 to 10000000'],
    [setRole, ['--username', 'ada'], '--role is missing'],
    [setPin, ['--username', 'ada'], '--pin is missing'],
    [setPassword, ['--username', 'ada'], 'one of --password, --password-stdin is missing'],
    [importing, [], 'FILE is missing'],
    [importing, ['a', 'b'], 'too many arguments are given'],
    [commands.session.verbs.revoke, [], 'one of ID, --all is missing'],
    [commands.session.verbs.revoke, ['some-id', '--all'], 'only one of ID, --all may be given'],
    [commands.apikey.verbs.create, ['--username', 'ada', '--scope', 'admin', '--scope', 'everything'], '--scope must be one of profile, introspect, revoke, revocations, admin'],
    [commands.apikey.verbs.create, ['--username', 'ada', '--expires', 'soon'], '--expires must be a time such as 90d, 2027-01-31 or 2027-01-31T12:00:00Z'],
    [commands.apikey.verbs.create, ['--username', 'ada', '--expires', '2027-02-31T25:00:00Z'], '--expires must be a time such as 90d, 2027-01-31 or 2027-01-31T12:00:00Z'],
    [commands.apikey.verbs.create, ['--username', 'ada', '--expires', '2027'], '--expires must be a time such as 90d, 2027-01-31 or 2027-01-31T12:00:00Z'],
    [commands.key.verbs.revoke, [], 'KID is missing'],
    [commands.audit.verbs.tail, ['--lines', '-1'], '--lines must be a whole number from 1 to 10000'],
  ]
  for (const [command, args, message] of cases) t.throws(() => understand(command, ...args), new MisuseError(message, usageOf('tessera test', command)), args.join(' '))
  t.end()
})

void t.test('a secret that stands in the wrong place is not repeated', (t) => {
  for (const args of [['tr0ub4dor'], ['--passwort=tr0ub4dor'], ['--passwort', 'tr0ub4dor'], ['--password-stdin=tr0ub4dor'], ['--pin', 'tr0ub4dor', '--pin', 'tr0ub4dor']]) {
    try {
      understand(commands.user.verbs.create, ...args)
      t.fail('it should have been refused')
    } catch (error) {
      t.ok(error instanceof MisuseError)
      t.notMatch(String(error), 'tr0ub4dor')
    }
  }
  t.end()
})

void t.test('what is given is read', (t) => {
  const create = understand(commands.user.verbs.create, '--email=ada@example.com', '--password=--dashes', '--pin', '-12')
  t.strictSame([create(email), create(password), create(passwordStdin), create(pin), create(role), create(username)], ['ada@example.com', '--dashes', false, '-12', 'user', null])
  t.equal(understand(commands.user.verbs['set-role'], '--id', 'x', '--role', 'admin')(newRole), 'admin')
  t.equal(understand(commands.user.verbs.show, '--id', 'x')(id), 'x')
  t.equal(understand(commands.user.verbs.list)(limit), 1000)
  t.equal(understand(commands.user.verbs.list, '--limit', '7')(limit), 7)
  const importing = understand(commands.user.verbs.import, '-', '--skip-existing')
  t.strictSame([importing(file), importing(skipExisting)], ['-', true])
  t.equal(understand(commands.user.verbs.import, '--', '--odd-name')(file), '--odd-name')
  t.equal(understand(commands.session.verbs.revoke, 'some-id')(sessionId), 'some-id')
  t.equal(understand(commands.session.verbs.revoke, '--all')(all), true)
  const key = (...args: string[]) => understand(commands.apikey.verbs.create, '--username', 'ada', ...args)
  t.strictSame(key('--scope', 'admin', '--scope=revoke')(keyScopes), ['admin', 'revoke'])
  t.strictSame(key()(keyScopes), [])
  t.equal(key()(expires), null)
  t.equal(key('--expires', '90d')(expires), 90 * 86_400)
  t.strictSame(key('--expires', '2027-01-31')(expires), new Date('2027-01-31T00:00:00Z'))
  t.strictSame(key('--expires', '2027-01-31T12:00:00+01:00')(expires), new Date('2027-01-31T11:00:00Z'))
  t.end()
})

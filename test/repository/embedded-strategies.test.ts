import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { findBinaries } from '../../src/repository/embedded/binaries.js'
import type { Binaries } from '../../src/repository/embedded/binaries.js'
import { layoutOf } from '../../src/repository/embedded/layout.js'
import type { Machine } from '../../src/repository/embedded/machine.js'
import { asOtherUser, inUserNamespace, unprivilegedUser, withCapabilities } from '../../src/repository/embedded/strategies.js'
import type { Strategy } from '../../src/repository/embedded/strategies.js'
import { ask, end, join, livingPostmaster, member, memberScript, privateFolder, refusal } from '../support/embedded.js'

const isRoot = process.getuid?.() === 0
const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
const nobody = unprivilegedUser()
const only = (strategy: Strategy): Partial<Machine> => ({ strategies: () => Promise.resolve([strategy]) })

t.setTimeout(900_000) // many starts, on machines of any speed

/** As npm leaves it when install scripts are off. */
function packageWithoutLinks(parent: string): Binaries {
  const binaries = findBinaries()
  const folder = path.join(parent, 'package/native')
  cpSync(binaries.folder, folder, { recursive: true, filter: (file) => !lstatSync(file).isSymbolicLink() })
  return { ...binaries, folder }
}

await t.test('without library names and execute bits the programs run all the same', async (t) => {
  const dataDir = privateFolder(t)
  const bare = packageWithoutLinks(path.dirname(dataDir))
  const namesOnly = await join(dataDir, { binaries: bare })
  t.same(await ask(namesOnly.connectionString, 'select 1'), [1])
  t.ok(existsSync(path.join(dataDir, 'postgres-libraries')))
  await namesOnly.leave()

  for (const program of readdirSync(path.join(bare.folder, 'bin'))) chmodSync(path.join(bare.folder, 'bin', program), 0o644)
  const bitsToo = await join(dataDir, { binaries: bare })
  t.same(await ask(bitsToo.connectionString, 'select 1'), [1])
  await bitsToo.leave()
})

await t.test('as root, below a folder that only root may enter', { skip: !isRoot && 'needs root' }, async (t) => {
  const dataDir = privateFolder(t)
  chmodSync(path.dirname(dataDir), 0o700)
  const binaries = packageWithoutLinks(path.dirname(dataDir)) // closed to others too
  const visits: string[] = []
  /** Every way must find what the ways before it wrote. */
  const visit = async (strategy: Strategy, machine: Partial<Machine> = {}) => {
    const server = await join(dataDir, { binaries, ...only(strategy), ...machine })
    await ask(server.connectionString, 'create table if not exists visits (way text)')
    await ask(server.connectionString, `insert into visits values ('${strategy.name}')`)
    visits.push(strategy.name)
    t.strictSame(await ask(server.connectionString, 'select way from visits'), visits)
    const uid = statSync(layoutOf(dataDir).cluster).uid
    await server.leave()
    t.equal(uid, strategy.owner.uid, strategy.name)
  }
  const canNamespace = spawnSync('unshare', ['--user', 'true']).status === 0
  const canKeep = spawnSync('setpriv', withCapabilities(nobody).command('true', []).args).status === 0

  await t.test('in a user namespace', { skip: !canNamespace && 'user namespaces are forbidden here' }, () => visit(inUserNamespace(self, nobody)))
  await t.test('as another user who may cross it', { skip: !canKeep && 'needs setpriv' }, () => visit(withCapabilities(nobody)))
  await t.test('again in a user namespace', { skip: !canNamespace && 'user namespaces are forbidden here' }, () => visit(inUserNamespace(self, nobody)))
  const isMade = canNamespace || canKeep
  await t.test('as another user with nowhere to go', { skip: !isMade && 'needs one of those' }, async (t) => {
    await refusal(t, join(dataDir, { ...only(asOtherUser(nobody)), refuges: [] }), /cannot be run on this machine/, /DATABASE_URL/)
    t.ok(existsSync(path.join(dataDir, 'postgres/PG_VERSION')), 'the data stays where it was')
  })
  await t.test('as another user, who gets a place of his own', async (t) => {
    const refuge = mkdtempSync(path.join(tmpdir(), 'tessera-refuge-'))
    t.teardown(() => { rmSync(refuge, { recursive: true, force: true }) })
    chmodSync(refuge, 0o711)
    await visit(asOtherUser(nobody), { refuges: ['/nowhere', refuge] })
    t.ok(layoutOf(dataDir).home.startsWith(refuge))
    t.notOk(existsSync(path.join(dataDir, 'postgres')))
    await visit(asOtherUser(nobody), { refuges: [] })
    if (canNamespace) await visit(inUserNamespace(self, nobody))
    if (canKeep) await visit(withCapabilities(nobody))
    rmSync(refuge, { recursive: true, force: true })
    await refusal(t, join(dataDir), /is gone/, /bring it back/)
  })
})

await t.test('as root, in a folder that everybody may pass', { skip: !isRoot && 'needs root' }, async (t) => {
  const dataDir = privateFolder(t)
  mkdirSync(dataDir, { mode: 0o711 })
  const server = await join(dataDir, { ...only(asOtherUser(nobody)), refuges: [] })
  t.same(await ask(server.connectionString, 'select 1'), [1])
  t.equal(layoutOf(dataDir).home, dataDir, 'the data stays')
  await server.leave()
})

await t.test('as root, in the folder of somebody else', { skip: !isRoot && 'needs root' }, async (t) => {
  const dataDir = privateFolder(t)
  mkdirSync(dataDir, { mode: 0o700 })
  chownSync(dataDir, nobody.uid, nobody.gid)
  const server = await join(dataDir)
  await server.leave()
  const strangers = readdirSync(dataDir).filter((name) => statSync(path.join(dataDir, name)).uid !== nobody.uid)
  t.strictSame(strangers, [], 'he can use all of it afterwards')
})

const asNobody = [`--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, '--clear-groups']
const nobodyCanRun = isRoot && spawnSync('setpriv', [...asNobody, process.execPath, '--check', memberScript]).status === 0

await t.test('an ordinary user', { skip: !nobodyCanRun && 'needs root to change user, and a checkout that others may read' }, async (t) => {
  const dataDir = privateFolder(t)
  chmodSync(path.dirname(dataDir), 0o777)
  const { process: first, said } = await member(t, dataDir, ['setpriv', ...asNobody])
  t.match(said, { firstStart: true })
  t.equal(statSync(`/proc/${livingPostmaster(dataDir)}`).uid, nobody.uid)

  await t.test('can be helped by root', async (t) => {
    const server = await join(dataDir)
    t.match(server, { adopted: true })
    await end(first, 'SIGTERM')
    await server.leave()
    const alone = await join(dataDir)
    t.match(alone, { adopted: false, firstStart: false })
    await alone.leave()
    const { process: again, said } = await member(t, dataDir, ['setpriv', ...asNobody])
    t.match(said, { adopted: false, firstStart: false })
    await end(again, 'SIGTERM')
  })
  await t.test('is told that a folder is not for him', async (t) => {
    const closed = path.join(path.dirname(dataDir), 'closed')
    mkdirSync(closed, { mode: 0o755 })
    const { said } = await member(t, path.join(closed, 'deeper'), ['setpriv', ...asNobody])
    t.match(said.error, /^EmbeddedServerError: The data directory .*closed\/deeper cannot be written to .*DATA_DIR/)
    t.strictSame(readdirSync(closed), [])
    const own = await join(closed)
    const { said: whileRunning } = await member(t, closed, ['setpriv', ...asNobody])
    t.match(whileRunning.error, /^EmbeddedServerError: The data directory .* cannot be written to/)
    await own.leave()
  })
})

import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { packageRoot } from '../../src/package-root.js'

const run = promisify(execFile)
const installed = (name: string): string => path.join(packageRoot, 'node_modules', name)

/** As in the README, with types as strict as they get. */
const service = `
import Fastify from 'fastify'
import { createVerifier, identityOf, tesseraVerify, VerificationError, type VerifiedIdentity } from '@tessera-id/verify'

const options = { issuer: 'http://127.0.0.1:1', credential: { apiKey: process.env.TESSERA_API_KEY ?? 'sk_live_x' } }
const app = Fastify()
await app.register(tesseraVerify, { ...options, whenStale: 'introspect' })
app.get('/orders', { preHandler: app.requireIdentity }, (request) => [identityOf(request).subject])
console.log((await app.inject('/orders')).statusCode)
await app.close()

const verifier = createVerifier(options)
const who: VerifiedIdentity | string = await verifier.verify('').catch((error: unknown) => (error instanceof VerificationError ? error.code : 'another'))
console.log(who)
verifier.close()
`

await t.test('@tessera-id/verify is a package of its own, under a scope: small, typed, without the server, and nothing of it outlives close [attack:strangers-package]', async (t) => {
  const folder = t.testdir({ 'package.json': '{"type":"module"}', 'service.ts': service })
  const tsc = path.join(installed('typescript'), 'bin', 'tsc')
  await run(process.execPath, [tsc, '--project', 'tsconfig.verify.json'], { cwd: packageRoot })
  const { stdout: tarball } = await run(process.execPath, [path.join(packageRoot, 'scripts/package-verify.mjs'), folder])
  const home = path.join(folder, 'node_modules/@tessera-id/verify')
  await mkdir(home, { recursive: true })
  await run('tar', ['-xzf', tarball.trim(), '-C', home, '--strip-components=1'])

  const { name, dependencies } = JSON.parse(await readFile(path.join(home, 'package.json'), 'utf8')) as { name: string; dependencies: object }
  const own = JSON.parse(await readFile(path.join(packageRoot, 'package.json'), 'utf8')) as { name: string; private: boolean }
  t.match([name, own], ['@tessera-id/verify', { name: /^@tessera-id\//, private: true }], 'a name without its path fetches no package of a stranger')
  t.same(Object.keys(dependencies), ['jose'])
  t.same(await readdir(path.join(home, 'dist/src')), ['verify'])

  await mkdir(path.join(folder, 'node_modules/@types'))
  for (const name of ['jose', 'fastify', '@types/node']) await symlink(installed(name), path.join(folder, 'node_modules', name))
  const strict = ['--ignoreConfig', '--outDir', '.', '--rootDir', '.', '--strict', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', 'false', '--types', 'node']
  await run(process.execPath, [tsc, ...strict, 'service.ts'], { cwd: folder })
  const { stdout } = await run(process.execPath, ['service.js'], { cwd: folder, timeout: 20_000 })
  t.equal(stdout, '401\nmissing\n')
})

// `npm run package:verify [FOLDER]`: makes the package `@tessera-id/verify` out of what is built, for services that have no use for
// the server and its dependencies. By default in dist/. Prints where it is.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { packageRoot } from './compile.mjs'

/** @type {{ version: string, license: string, engines: object, exports: Record<string, object>, dependencies: Record<string, string> }} */
const { version, license, engines, exports, dependencies } = JSON.parse(readFileSync(path.join(packageRoot, 'package.json'), 'utf8'))
const verify = 'dist/src/verify'

// Under a scope: a dependency that is written without its path must not fetch a package of somebody else.
const manifest = {
  name: '@tessera-id/verify',
  version,
  description: 'Verifies what tessera issues, in other services',
  license,
  type: 'module',
  engines,
  exports: { '.': exports['./verify'], './package.json': './package.json' },
  files: [verify],
  // Ranges, so that a service has each of them once.
  dependencies: { jose: `^${dependencies.jose}` },
  peerDependencies: { fastify: `^${dependencies.fastify.split('.', 1)[0]}` },
  // createVerifier works without.
  peerDependenciesMeta: { fastify: { optional: true } },
}

const target = path.resolve(process.argv[2] ?? path.join(packageRoot, 'dist'), `tessera-verify-${version}.tgz`)
const scratch = mkdtempSync(path.join(os.tmpdir(), 'tessera-verify-'))
try {
  cpSync(path.join(packageRoot, verify), path.join(scratch, verify), { recursive: true, filter: (file) => !file.endsWith('.map') })
  writeFileSync(path.join(scratch, 'package.json'), JSON.stringify(manifest, null, 2))
  execFileSync('npm', ['pack', '--silent'], { cwd: scratch, stdio: ['ignore', 'ignore', 'inherit'] })
  cpSync(path.join(scratch, `tessera-id-verify-${version}.tgz`), target)
  process.stdout.write(`${target}\n`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { documentedConfiguration } from './documented.js'
import { untilListening } from './listening.js'

const modules = '/usr/lib/apache2/modules'

/** For tap's option `skip`. */
export const skipWithoutApache: string | false =
  spawnSync('apache2', ['-v']).status === 0 && existsSync(`${modules}/mod_auth_openidc.so`) ? false : 'needs apache2 with mod_auth_openidc, which is not installed'

const needed = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'proxy', 'proxy_http', 'auth_openidc']

/**
 * Apache with a configuration that the documentation shows, at other ports and in front of other addresses.
 * @param ports on which it listens then
 * @param authority the certificate that it trusts (PEM file)
 */
export async function startApache(t: Test, file: string, ports: readonly number[], authority: string, replacements: Readonly<Record<string, string>>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-apache-'))
  await chmod(folder, 0o755)
  const hosts = await documentedConfiguration(file, replacements)
  const configuration = [
    `ServerRoot ${folder}`,
    `DefaultRuntimeDir ${folder}`,
    'ServerName 127.0.0.1',
    `PidFile ${folder}/pid`,
    `ErrorLog ${folder}/error.log`,
    ...(process.getuid?.() === 0 ? ['User www-data', 'Group www-data'] : []),
    ...needed.map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`),
    ...ports.map((port) => `Listen 127.0.0.1:${port}`),
    `OIDCCABundlePath ${authority}`,
    hosts,
  ]
  await writeFile(`${folder}/apache.conf`, `${configuration.join('\n')}\n`)
  const apache = spawn('apache2', ['-f', `${folder}/apache.conf`, '-DFOREGROUND'], { stdio: ['ignore', 'inherit', 'inherit'] })
  t.teardown(async () => {
    apache.kill('SIGTERM')
    if (apache.exitCode === null) await new Promise((resolve) => apache.once('exit', resolve))
    await rm(folder, { recursive: true })
  })
  for (const port of ports) await untilListening(port)
}

import { spawn, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { documentedConfiguration } from './documented.js'
import { freePort } from './free-port.js'
import type { Gateway } from './gateways.js'
import { untilListening } from './listening.js'

/** For tap's option `skip`. */
export const skipWithoutCaddy: string | false = spawnSync('caddy', ['version']).status === 0 ? false : 'needs caddy, which is not installed'

/** Caddy with the configuration that the documentation shows, in front of other addresses and without certificates. */
export async function startCaddy(t: Test, { tessera, orders }: { readonly tessera: string; readonly orders: string }): Promise<Gateway> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-caddy-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const accessLog = `${folder}/access.log`
  const sites = await documentedConfiguration('docs/gateways/Caddyfile', {
    'id.example.com {': `${url} {`,
    'tessera:9154': tessera,
    'orders:3000': orders,
    '/var/log/caddy/access.log': accessLog,
  })
  await writeFile(`${folder}/Caddyfile`, `{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\toutput discard\n\t}\n}\n${sites}`)
  const environment = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const caddy = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', `${folder}/Caddyfile`], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
  t.teardown(async () => {
    caddy.kill('SIGKILL')
    if (caddy.exitCode === null) await new Promise((resolve) => caddy.once('exit', resolve))
    await rm(folder, { recursive: true })
  })
  await untilListening(port)
  return { url, accessLog: () => readFile(accessLog, 'utf8') }
}

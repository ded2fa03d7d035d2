import { spawn, spawnSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { documentedConfiguration } from './documented.js'
import { freePort } from './free-port.js'
import type { Gateway } from './gateways.js'
import { untilListening } from './listening.js'

/** For tap's option `skip`. */
export const skipWithoutNginx: string | false = spawnSync('nginx', ['-v']).status === 0 ? false : 'needs nginx, which is not installed'

/**
 * nginx with a configuration that the documentation shows, at another port and in front of other addresses.
 * @param file of the repository, for the http {} context; it listens at 127.0.0.1:8080
 * @param replacements what stands in it → what stands there now
 */
export async function startNginx(t: Test, file: string, replacements: Readonly<Record<string, string>>): Promise<Gateway> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tessera-nginx-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  const all = { ...replacements, '127.0.0.1:8080': `127.0.0.1:${port}`, '/var/log/nginx/access.log': `${folder}/access.log` }
  const server = await documentedConfiguration(file, all)
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')
  await writeFile(`${folder}/nginx.conf`, `${user} pid ${folder}/pid; error_log ${folder}/error.log; events {} http { ${temp} ${server} }`)
  const nginx = spawn('nginx', ['-p', folder, '-c', `${folder}/nginx.conf`, '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'inherit'] })
  t.teardown(async () => {
    nginx.kill('SIGTERM')
    await new Promise((resolve) => nginx.once('exit', resolve))
    await rm(folder, { recursive: true })
  })
  await untilListening(port)
  return { url: `http://127.0.0.1:${port}`, accessLog: () => readFile(`${folder}/access.log`, 'utf8') }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { packageRoot } from '../../src/package-root.js'

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const environment = { ...process.env, PORT: '0', DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none', MASTER_SECRET: 'x'.repeat(32) }

await t.test('a start that still waits for its database ends at once when it is told to stop', async (t) => {
  const service = spawn(process.execPath, [main], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => service.kill('SIGKILL'))
  for await (const output of service.stdout.setEncoding('utf8')) {
    if (String(output).includes('trying again')) break
  }
  const exit = once(service, 'exit')
  service.kill('SIGTERM')
  // Handled, not died of: as process 1 of a container it would live on.
  t.same(await exit, [0, null])
})

await t.test('who stops `npm start` stops the service: no shell between them keeps the signal to itself', async (t) => {
  const npm = spawn('npm', ['start'], { cwd: packageRoot, env: environment, stdio: ['ignore', 'pipe', 'inherit'] })
  let tries = 0
  await new Promise<void>((resolve) => {
    npm.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      tries += chunk.split('trying again').length - 1
      if (tries > 0) resolve()
    })
  })
  const [triesBefore, closed] = [tries, once(npm, 'close')]
  npm.kill('SIGTERM')
  // Once nobody is left who could write there. A service that was left behind goes on trying for half a minute.
  await closed
  t.ok(tries - triesBefore <= 1, `${tries - triesBefore} tries after the end`)
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const main = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const nobodyListens = 'postgresql://nobody@127.0.0.1:1/none'

await t.test('a start that still waits for its database ends at once when it is told to stop', async (t) => {
  const service = spawn(process.execPath, [main], {
    env: { ...process.env, PORT: '0', DATABASE_URL: nobodyListens, MASTER_SECRET: 'x'.repeat(32) },
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

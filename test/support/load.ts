import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import path from 'node:path'
import { packageRoot } from '../../src/package-root.js'
import type { LoadPlan, LoadReport } from './load-client.js'

export type { LoadPlan, LoadReport } from './load-client.js'

/** Runs the plan in a process of its own. */
export async function load(t: { teardown(handler: () => unknown): unknown }, plan: LoadPlan): Promise<LoadReport> {
  const client = spawn(process.execPath, [path.join(packageRoot, 'dist/test/support/load-client.js'), JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => client.kill('SIGKILL'))
  return JSON.parse(await text(client.stdout)) as LoadReport
}

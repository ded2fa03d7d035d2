// A process of its own that asks one thing over and over, so that what it costs to ask is not paid by who measures: takes a
// plan as JSON, and writes a report as JSON when the time is over.
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'

export interface LoadPlan {
  readonly url: string
  readonly method: string
  /** One of them after the other. */
  readonly requests: readonly { readonly headers: Readonly<Record<string, string>>; readonly body: string }[]
  readonly connections: number
  /** Each connection comes from one of these addresses. */
  readonly localAddresses: readonly string[]
  /** Between one answer and the next request of a connection. Milliseconds. */
  readonly pauseMs: number
  readonly seconds: number
  /** How long at the beginning is not counted: until what asks is compiled. Unless given, none of it. */
  readonly warmUpSeconds?: number
}

export interface LoadReport {
  /** How long the answers of each status took. Milliseconds. */
  readonly tookMs: Readonly<Partial<Record<string, readonly number[]>>>
  /** Requests that got no answer. */
  readonly unanswered: number
  /** What asking has cost. Milliseconds */
  readonly cpuMs: number
}

async function run(plan: LoadPlan): Promise<LoadReport> {
  const tookMs: Partial<Record<string, number[]>> = {}
  const countsFrom = performance.now() + (plan.warmUpSeconds ?? 0) * 1000
  const endsAt = performance.now() + plan.seconds * 1000
  let unanswered = 0
  let next = 0
  const connection = async (_: unknown, index: number): Promise<void> => {
    const localAddress = plan.localAddresses[index % plan.localAddresses.length]
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (performance.now() < endsAt) {
      const { headers, body } = plan.requests[next++ % plan.requests.length] ?? { headers: {}, body: '' }
      const sentAt = performance.now()
      try {
        const status = await new Promise<number>((resolve, reject) => {
          const asked = request(plan.url, { method: plan.method, headers, agent, ...(localAddress === undefined ? {} : { localAddress }) }, (answer) => {
            answer.resume().once('end', () => { resolve(answer.statusCode ?? 0) }).once('error', reject)
          })
          asked.once('error', reject).end(body)
        })
        if (sentAt >= countsFrom) (tookMs[status] ??= []).push(performance.now() - sentAt)
      } catch {
        unanswered += 1
      }
      await pause(plan.pauseMs)
    }
    agent.destroy()
  }
  await Promise.all(Array.from({ length: plan.connections }, connection))
  const { user, system } = process.cpuUsage()
  return { tookMs, unanswered, cpuMs: (user + system) / 1000 }
}

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as LoadPlan)))

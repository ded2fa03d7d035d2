import { monitorEventLoopDelay } from 'node:perf_hooks'

const nanosecondsInMs = 1e6

/**
 * What a busy machine adds to any time that is measured meanwhile: how much later than asked a timer of this process fires
 * at worst. An absolute limit holds on a machine that has time; on another one it is moved by this much.
 * @returns reads it so far, and ends with the test. Milliseconds
 */
export function watchLateness(t: { teardown(handler: () => unknown): unknown }): () => number {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  t.teardown(() => delay.disable())
  return () => Math.ceil(delay.max / nanosecondsInMs)
}

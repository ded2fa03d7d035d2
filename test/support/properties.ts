/** `FAST_CHECK_FACTOR=20 npm test -- test/attacks/refresh-model.test.ts` tries that much harder. */
const factor = Number(process.env.FAST_CHECK_FACTOR ?? 1)

/** How often a property is tried. When it fails, the error names the seed and the path that fail again. */
export const runs = (count: number) => ({ numRuns: count * factor })

/**
 * A property that is tried no longer than this, since a loaded machine is no failure: after it every case passes unseen. A case
 * that has begun is ended, so that it does not reach into the next.
 */
export function within<Given extends unknown[]>(seconds: number, holds: (...given: Given) => Promise<boolean>): (...given: Given) => Promise<boolean> {
  const endsAt = performance.now() + seconds * 1000 * factor
  return (...given) => (performance.now() > endsAt ? Promise.resolve(true) : holds(...given))
}

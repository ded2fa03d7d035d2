import { Counter, type Registry } from 'prom-client'

interface Described {
  readonly name: string
  readonly help: string
  readonly registry: Registry
}

/** The values that each label can have. */
type ClosedLabels = Readonly<Record<string, readonly string[]>>

/**
 * A counter whose series all exist from the start, at 0: Prometheus sees no increase in the first sample of a series, so the
 * first event of a series that began with it would be invisible.
 * @returns adds one
 */
export function closedCounter<const L extends ClosedLabels>({ name, help, registry, labels }: Described & { readonly labels: L }) {
  const counter = new Counter<string>({ name, help, labelNames: Object.keys(labels), registers: [registry] })
  for (const values of combinations(labels)) counter.inc(values, 0)
  return (values: { readonly [Label in keyof L & string]: L[Label][number] }): void => {
    counter.inc(values)
  }
}

/** The same, for sums that are kept elsewhere and read at every scrape. @param sums by the value of the label */
export function closedSums({ name, help, registry, label, sums }: Described & { readonly label: string; readonly sums: Readonly<Record<string, number>> }): void {
  new Counter<string>({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset()
      for (const [value, sum] of Object.entries(sums)) this.inc({ [label]: value }, sum)
    },
  })
}

function combinations(labels: ClosedLabels): Record<string, string>[] {
  let all: Record<string, string>[] = [{}]
  for (const [label, values] of Object.entries(labels)) all = all.flatMap((one) => values.map((value) => ({ ...one, [label]: value })))
  return all
}

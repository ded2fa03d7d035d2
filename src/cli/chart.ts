import { explain } from './errors.js'
import { columns, printable, type Result } from './output.js'

/** `skipped`: it needs something that is wrong. */
type Verdict = 'ok' | 'warning' | 'wrong' | 'skipped'

interface Finding {
  readonly check: string
  readonly verdict: Verdict
  readonly detail: string
}

/** What the doctor finds, a line a check. */
export interface Chart {
  /** @returns what `look` gave, or null when it threw: then that is what is wrong */
  examine<T>(check: string, look: () => T | Promise<T>, describe: (found: T) => string): Promise<T | null>
  note(check: string, verdict: Verdict, detail: string): void
  result(): Result
}

export function createChart(): Chart {
  const findings: Finding[] = []
  const note: Chart['note'] = (check, verdict, detail) => {
    findings.push({ check, verdict, detail })
  }
  return {
    note,
    async examine(check, look, describe) {
      try {
        const found = await look()
        note(check, 'ok', describe(found))
        return found
      } catch (error) {
        note(check, 'wrong', explain(error))
        return null
      }
    },
    result() {
      const failed = findings.some(({ verdict }) => verdict === 'wrong')
      const text = columns(findings.map(({ check, verdict, detail }) => [verdict, check, printable(detail)])).join('\n')
      return { value: { healthy: !failed, findings }, text, failed }
    },
  }
}

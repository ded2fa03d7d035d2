import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** What clients were told, in the order of the answers: appended to a file as they come, read when the storm is over. */
export interface Ledger<Entry> {
  /** To be called before anything else is done with the answer. */
  note(entry: Entry): void
  read(): Entry[]
}

export function createLedger<Entry>(t: { teardown(handler: () => unknown): unknown }): Ledger<Entry> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tessera-ledger-'))
  const file = path.join(folder, 'acknowledged')
  const descriptor = openSync(file, 'a')
  t.teardown(() => {
    closeSync(descriptor)
    rmSync(folder, { recursive: true })
  })
  return {
    note: (entry) => void writeSync(descriptor, `${JSON.stringify(entry)}\n`),
    read: () =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Entry),
  }
}

/** What a command has to say: for people, or for machines. */
export interface Result {
  /** What `--json` prints. */
  readonly value: unknown
  /** What is printed otherwise; '' for nothing. */
  readonly text: string
  /** Something of what was asked for was not done: exit status 1. */
  readonly failed?: boolean
  /** It has been written to stdout already, as it came: too much to be held at once. */
  readonly isStreamed?: boolean
}

/** What somebody else wrote must not steer the terminal, nor break a table. */
export const printable = (text: string): string => text.replace(/[\p{C}\u2028\u2029]/gu, '�')

type Cell = string | number | boolean | Date | readonly string[] | null

function cellText(cell: Cell): string {
  if (cell === null) return '-'
  if (cell instanceof Date) return timeText(cell)
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no'
  return printable(Array.isArray(cell) ? cell.join(' ') : String(cell))
}

/** To the second, UTC. */
export const timeText = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, 'Z')

/** Cells below each other; the last of a row is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  return rows.map((row) => row.map((cell, index) => (index < row.length - 1 ? cell.padEnd(widths[index] ?? 0) : cell)).join('  '))
}

export function table(headers: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return columns([headers, ...rows.map((row) => row.map(cellText))]).join('\n')
}

/** `name  value`, a line each. */
export const facts = (entries: readonly (readonly [string, Cell])[]): string => columns(entries.map(([name, cell]) => [name, cellText(cell)])).join('\n')

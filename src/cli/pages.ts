import type { Context } from './context.js'

const rowsAPage = 500

/**
 * Gathers pages until there are no more, or enough.
 * @param next the page after the given row, or the first; of at most so many rows
 */
export async function gather<T>(context: Pick<Context, 'say'>, most: number, next: (last: T | null, rows: number) => Promise<T[]>): Promise<T[]> {
  const rows: T[] = []
  for (;;) {
    // One more than is wanted tells whether there are more.
    const wanted = Math.min(rowsAPage, most + 1 - rows.length)
    const page = await next(rows.at(-1) ?? null, wanted)
    rows.push(...page)
    if (rows.length > most) return shortened(context, rows, most)
    if (page.length < wanted) return rows
  }
}

/** Says so when rows are left out. */
export function shortened<T>({ say }: Pick<Context, 'say'>, rows: T[], most: number): T[] {
  if (rows.length <= most) return rows
  say(`There are more than these ${most}: --limit N shows N.`)
  return rows.slice(0, most)
}

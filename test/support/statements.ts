import type pg from 'pg'

export interface Statements {
  /** What was sent since the last call, in order. */
  take(): string[]
}

/** Listens to everything that the connections of a pool send to the server. What the feed of revocations sends goes by a connection of its own. */
export function recordStatements(pool: pg.Pool): Statements {
  let texts: string[] = []
  const known = new WeakSet<pg.PoolClient>()
  pool.on('acquire', (client) => {
    if (known.has(client)) return
    known.add(client)
    const send = client.query.bind(client)
    Object.assign(client, {
      query: (...args: unknown[]): unknown => {
        texts.push(textOf(args[0]))
        return Reflect.apply(send, client, args)
      },
    })
  })
  return {
    take() {
      const taken = texts
      texts = []
      return taken
    },
  }
}

const textOf = (query: unknown): string => {
  if (typeof query === 'object' && query !== null && 'text' in query && typeof query.text === 'string') return query.text
  return typeof query === 'string' ? query : 'something'
}

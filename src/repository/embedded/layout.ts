import path from 'node:path'

/** Where things lie in a data directory. */
export interface Layout {
  readonly dataDir: string
  /** PostgreSQL's own data directory. */
  readonly cluster: string
  /** The secret that the server's passwords come from; mode 0600. */
  readonly secret: string
  readonly log: string
  /** The library names that npm's install script would have made, had it run. */
  readonly links: string
}

export function layoutOf(dataDir: string): Layout {
  const inside = (name: string) => path.join(path.resolve(dataDir), name)
  return {
    dataDir: path.resolve(dataDir),
    cluster: inside('postgres'),
    secret: inside('postgres-password'),
    log: inside('postgres.log'),
    links: inside('postgres-libraries'),
  }
}

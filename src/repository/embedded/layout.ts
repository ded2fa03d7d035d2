import { readFileSync } from 'node:fs'
import path from 'node:path'
import { codeOf } from './error.js'

/** Where the things of one data directory lie. */
export interface Layout {
  readonly dataDir: string
  /** The folder that the cluster lies in: the data directory, unless the server's user cannot get there. */
  readonly home: string
  /** PostgreSQL's own data directory. */
  readonly cluster: string
  /** The secret that the server's passwords come from; mode 0600. */
  readonly secret: string
  readonly log: string
  /** The library names that npm's install script would have made, had it run. */
  readonly links: string
  /** Names `home` when that is another folder. */
  readonly location: string
}

export function layoutOf(dataDir: string): Layout {
  const folder = path.resolve(dataDir)
  const location = path.join(folder, 'postgres-location')
  return layoutWith(folder, readLocation(location) ?? folder)
}

/** The same data directory with its cluster elsewhere. */
export function layoutWith(dataDir: string, home: string): Layout {
  return {
    dataDir,
    home,
    cluster: path.join(home, 'postgres'),
    secret: path.join(dataDir, 'postgres-password'),
    log: path.join(dataDir, 'postgres.log'),
    links: path.join(dataDir, 'postgres-libraries'),
    location: path.join(dataDir, 'postgres-location'),
  }
}

function readLocation(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

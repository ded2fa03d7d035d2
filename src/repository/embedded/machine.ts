import { tmpdir } from 'node:os'
import { findBinaries } from './binaries.js'
import type { Binaries } from './binaries.js'
import { strategiesFor } from './strategies.js'
import type { Strategy } from './strategies.js'

/** What there is to run PostgreSQL with. Tests put one together to see what happens on machines that are not at hand. */
export interface Machine {
  readonly binaries: Binaries
  /** The ways to run them for this data directory, the one that changes least first. */
  strategies(dataDir: string): Promise<readonly Strategy[]>
  /** Aborted when the start is given up: programs that run then are ended. */
  readonly signal?: AbortSignal | undefined
  /** Folders that every user can reach, for when the data directory is none; the most lasting first. */
  readonly refuges: readonly string[]
}

export const thisMachine = (): Machine => ({
  binaries: findBinaries(),
  strategies: strategiesFor,
  refuges: ['/var/lib', '/srv', '/var/tmp', tmpdir()],
})

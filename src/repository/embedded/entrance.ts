import { setTimeout as sleep } from 'node:timers/promises'
import type { Binaries } from './binaries.js'
import { withLibraryNames } from './binaries.js'
import { createCluster, fixOwnership, hasCluster } from './cluster.js'
import { sweepUnfinished } from './data-folder.js'
import { EmbeddedServerError } from './error.js'
import type { Layout } from './layout.js'
import { enter } from './membership.js'
import type { Membership } from './membership.js'
import { isLivingServer, readPidFile } from './pid-file.js'
import { freePort } from './port.js'
import { findRunner, probePrefix } from './probe.js'
import type { Runner } from './program.js'
import { startServer } from './server.js'
import { strategiesFor } from './strategies.js'
import type { Strategy } from './strategies.js'

const patienceMs = 60_000
const lookAgainMs = 25

/** All that it takes to come in, or to start the server when nobody has. */
export interface Door {
  readonly layout: Layout
  readonly binaries: Binaries
  readonly secret: string
  /** Server settings beyond ours. */
  readonly settings: Readonly<Record<string, string>>
  /** The ways to run it that may be tried; by default what fits this machine. */
  readonly strategies?: readonly Strategy[]
  readonly log: (message: string) => void
}

export interface Entrance {
  readonly membership: Membership
  readonly port: number
  /** We started the server. */
  readonly started: boolean
  /** We made the database files. */
  readonly created: boolean
}

/**
 * Comes in, whatever the others do meanwhile: a server that starts is waited for, one that stops is started
 * again, and of two starters the slower one becomes a guest.
 * @param preferredPort where the server is to be found again, if nobody else has taken the port
 */
export async function comeIn(door: Door, preferredPort?: number): Promise<Entrance> {
  let runner: Runner | undefined
  let started = false
  let created = false
  let obstacle = 'it does not answer'
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; ) {
    const found = readPidFile(door.layout.cluster)
    if (found !== undefined && isLivingServer(found)) {
      const membership = found.status === 'ready' ? await enter(found.port, door.secret) : undefined
      if (membership !== undefined) return { membership, port: found.port, started, created }
      await sleep(lookAgainMs)
      continue
    }
    runner ??= await prepareRunner(door)
    created = (await provideCluster(door, runner)) || created
    const port = await freePort(preferredPort ?? found?.port)
    const reason = await startServer(door.layout, runner, { port, settings: door.settings })
    started = reason === undefined
    obstacle = reason ?? obstacle
    if (!started) await sleep(lookAgainMs)
  }
  throw new EmbeddedServerError(
    `The embedded PostgreSQL cannot be reached after ${patienceMs / 1000} s (${obstacle}): see its log ${door.layout.log}.`,
  )
}

async function prepareRunner({ layout, binaries, strategies }: Door): Promise<Runner> {
  await sweepUnfinished(layout.dataDir, probePrefix)
  const complete = await withLibraryNames(binaries, layout.links)
  return findRunner(layout, complete, strategies ?? (await strategiesFor(layout.dataDir)))
}

/** @returns whether we made it */
async function provideCluster({ layout, binaries, secret, settings, log }: Door, runner: Runner): Promise<boolean> {
  const isThere = await hasCluster(layout, binaries)
  if (!isThere) log(`Making an embedded PostgreSQL ${binaries.majorVersion} database in ${layout.cluster}`)
  const created = !isThere && (await createCluster(layout, runner, { secret, isDurable: settings.fsync !== 'off' }))
  await fixOwnership(layout, runner)
  return created
}

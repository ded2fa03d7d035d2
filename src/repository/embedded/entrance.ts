import { setTimeout as sleep } from 'node:timers/promises'
import { createCluster, fixOwnership, hasCluster } from './cluster.js'
import { EmbeddedServerError } from './error.js'
import { layoutOf } from './layout.js'
import type { Layout } from './layout.js'
import type { Machine } from './machine.js'
import { enter } from './membership.js'
import type { Membership } from './membership.js'
import { isAlive, isLivingServer, readPidFile } from './pid-file.js'
import type { PidFile } from './pid-file.js'
import { freePort } from './port.js'
import type { Runner } from './program.js'
import { arrange } from './runner.js'
import type { Arrangement } from './runner.js'
import { startServer } from './server.js'

const patienceMs = 60_000
const lookAgainMs = 25

/** All that it takes to come in, or to start the server when nobody has. */
export interface Door {
  readonly dataDir: string
  readonly secret: string
  readonly machine: Machine
  /** Server settings beyond ours. */
  readonly settings: Readonly<Record<string, string>>
  readonly log: (message: string) => void
}

export interface Entrance {
  readonly membership: Membership
  readonly layout: Layout
  readonly port: number
  /** How the server runs, as far as we had to find out. */
  readonly arrangement: Arrangement | undefined
  /** We started the server. */
  readonly started: boolean
  /** We made the database files. */
  readonly created: boolean
}

/**
 * Comes in, whatever the others do meanwhile: a server that starts is waited for, one that stops is started
 * again, and of two starters the slower one becomes a guest.
 * @param before when we come back: the port to be found at again, if nobody else has taken it, and what need
 *   not be found out anew
 */
export async function comeIn(door: Door, before?: Pick<Entrance, 'port' | 'arrangement'>): Promise<Entrance> {
  let started = false
  let created = false
  let obstacle: string | undefined
  let arrangement = before?.arrangement
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; ) {
    door.machine.signal?.throwIfAborted()
    const layout = layoutOf(door.dataDir)
    const found = readPidFile(layout.cluster)
    if (found !== undefined && isLivingServer(layout.cluster, found)) {
      const answer = found.status === 'ready' ? await enter(found.port, door.secret) : { obstacle: `it is ${found.status}` }
      if ('leave' in answer) return { membership: answer, layout, port: found.port, arrangement, started, created }
      obstacle = answer.obstacle
      await sleep(lookAgainMs)
    } else {
      if (arrangement?.layout.home !== layout.home) arrangement = await arrange(layout, door.machine)
      if (before !== undefined) await requireCluster(layout, door.machine)
      const attempt = await start(door, arrangement, found, before?.port ?? found?.port)
      created ||= attempt.created
      started = attempt.obstacle === undefined
      obstacle = attempt.obstacle
      if (!started) await sleep(lookAgainMs)
    }
  }
  throw new EmbeddedServerError(
    `The embedded PostgreSQL of ${door.dataDir} cannot be reached after ${patienceMs / 1000} s ` +
      `(${obstacle ?? 'it does not answer'}): see postgres.log there.`,
  )
}

/** Whoever takes the database away from under a running service shall not be given an empty one. */
async function requireCluster(layout: Layout, { binaries }: Machine): Promise<void> {
  if (!(await hasCluster(layout, binaries))) throw new EmbeddedServerError(`The database in ${layout.cluster} is gone: bring it back.`)
}

interface Attempt {
  readonly created: boolean
  /** What stood in the way, and passes by itself. */
  readonly obstacle: string | undefined
}

async function start(
  door: Door,
  { runner, layout }: Arrangement,
  dead: PidFile | undefined,
  preferredPort: number | undefined,
): Promise<Attempt> {
  const created = await provideCluster(door, layout, runner)
  const obstacle = await startServer(layout, runner, {
    port: await freePort(preferredPort),
    settings: door.settings,
    stalePid: dead !== undefined && isAlive(dead.pid) ? dead.pid : undefined,
  })
  return { created, obstacle }
}

/** @returns whether we made it */
async function provideCluster({ machine, secret, settings, log }: Door, layout: Layout, runner: Runner): Promise<boolean> {
  const isThere = await hasCluster(layout, machine.binaries)
  if (!isThere) log(`Making an embedded PostgreSQL ${machine.binaries.majorVersion} database in ${layout.cluster}`)
  const created = !isThere && (await createCluster(layout, runner, { secret, isDurable: settings.fsync !== 'off' }))
  await fixOwnership(layout, runner)
  return created
}

import type pg from 'pg'
import { differences, isExplicit, shown, type AgreedValues } from '../config/fleet.js'
import type { Config, Environment } from '../config/index.js'
import type { Repository } from '../domain/ports.js'
import type { Chart } from './chart.js'

export interface FleetQuestion {
  readonly config: Config
  readonly pool: pg.Pool
  readonly repository: Repository
  readonly environment: Environment
}

/** What the whole fleet must agree on, and where this environment says something else. */
export async function examineFleet(chart: Chart, { config, pool, repository, environment }: FleetQuestion): Promise<void> {
  const found = await chart.examine('fleet', () => fleetFacts(pool, repository), (facts) => describeFleet(facts, config, environment))
  const different = found ? differences(config, found.settings) : []
  for (const { name, here, fleet } of different.filter((one) => isExplicit(environment, one.name))) {
    chart.note('fleet', 'warning', `${name} is ${shown(here)} here and ${shown(fleet)} in the fleet: commands that work by it refuse, and a node that starts here changes it`)
  }
}

interface FleetFacts {
  readonly settings: AgreedValues
  readonly longestTokenSeconds: number
}

/** null: the schema is not that far yet. */
async function fleetFacts(pool: pg.Pool, { fleet }: Repository): Promise<FleetFacts | null> {
  const { rows: [row] } = await pool.query<{ there: boolean }>(`SELECT to_regclass('fleet_settings') IS NOT NULL AS there`)
  return row?.there === true ? { settings: await fleet.settings(), longestTokenSeconds: await fleet.longestTokenSeconds() } : null
}

function describeFleet(found: FleetFacts | null, config: Config, environment: Environment): string {
  if (found === null || found.settings.size === 0) return 'nothing agreed on yet: the first start of the service writes it'
  const values = [...found.settings].sort().map(([name, value]) => `${name} ${shown(value)}`)
  const silent = differences(config, found.settings).filter(({ name }) => !isExplicit(environment, name)).map(({ name }) => name)
  const missing = silent.length === 0 ? '' : `; not said here, and changed by a node that starts here: ${silent.join(', ')}`
  return `no token lives longer than ${found.longestTokenSeconds} s; ${values.join(', ')}${missing}`
}

import type { Revocation } from '../domain/model.js'
import type { Repository } from '../domain/ports.js'
import { createApiKeys } from './api-keys.js'
import { createAttempts } from './attempts.js'
import { createAuditTrail } from './audit.js'
import { createAuditChain } from './audit-chain.js'
import { createAuthorities } from './authorities.js'
import { createClients } from './clients.js'
import { createCredentials } from './credentials.js'
import { createFleet } from './fleet.js'
import { createKeys } from './keys.js'
import type { Pool } from './pool.js'
import { createRevocations, type RevocationOptions } from './revocations.js'
import { createSessions } from './sessions.js'
import { createDatabase, type Database } from './transaction.js'
import { createUsers } from './users.js'

export { databaseTime } from './database-time.js'
export { createPool, type Pool } from './pool.js'
export { createRevocationFeed, type RevocationFeed, type RevocationFeedOptions } from './revocation-feed.js'
export { sweep, type SweepCounts } from './sweep.js'

export interface RepositoryOptions {
  /** Told of every revocation that this node has committed, so that it obeys at once. Must not throw. */
  onRevoked?: (revocation: Revocation) => void
}

export function createRepository(pool: Pool, { onRevoked }: RepositoryOptions = {}): Repository {
  return repositoryOn(createDatabase(pool), { onRevoked: onRevoked ?? (() => undefined) })
}

function repositoryOn(database: Database, options: RevocationOptions): Repository {
  const repository: Repository = {
    users: createUsers(database),
    credentials: createCredentials(database),
    sessions: createSessions(database),
    apiKeys: createApiKeys(database),
    clients: createClients(database),
    attempts: createAttempts(database),
    revocations: createRevocations(database, options),
    keys: createKeys(database),
    fleet: createFleet(database),
    audit: createAuditTrail(database),
    auditChain: createAuditChain(database),
    authorities: createAuthorities(database),
    transaction: (work) =>
      database.isTransaction
        ? work(repository)
        : database.transaction((transaction) => work(repositoryOn(transaction, options))),
    forOneRequest: () => (database.isTransaction ? repository : repositoryOn(database.forOneRequest(), options)),
  }
  return repository
}

import { AuthError } from '../src/domain/errors.js'
import type { Identity } from '../src/domain/identity.js'
import type { Metrics } from './metrics.js'

/** The same identity, whose logins and refreshes are counted. */
export const countedIdentity = (identity: Identity, metrics: Metrics): Identity => ({
  ...identity,
  async login(attempt) {
    const { name } = attempt.dialect
    try {
      const grant = await identity.login(attempt)
      metrics.countLogin(name, 'succeeded')
      return grant
    } catch (error) {
      metrics.countLogin(name, isUnavailable(error) ? 'unavailable' : 'refused')
      throw error
    }
  },
  async refresh(attempt) {
    const { name } = attempt.dialect
    try {
      const grant = await identity.refresh(attempt)
      metrics.countRefresh(name, grant.rotation)
      if (grant.crossedNetworks) metrics.countCrossing(name)
      return grant
    } catch (error) {
      metrics.countRefresh(name, refusalOf(error))
      throw error
    }
  },
})

/** What nobody foresaw counts as a failure of ours, not as one of the client. */
const isUnavailable = (error: unknown): boolean => !(error instanceof AuthError) || error.code === 'unavailable'

function refusalOf(error: unknown): 'unavailable' | 'reused' | 'invalid' {
  if (isUnavailable(error)) return 'unavailable'
  return error instanceof AuthError && error.cause === 'reused' ? 'reused' : 'invalid'
}

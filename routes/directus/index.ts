import { directusErrors } from '../../plugins/directus-errors.js'
import type { Config } from '../../src/config/index.js'
import type { AuthDoorDialect } from '../dialect.js'
import { login } from './login.js'
import { logout } from './logout.js'
import { refresh } from './refresh.js'

/** Email and password, tokens in JSON or the refresh token in a cookie (seed 002). Its three paths are those of routes/auth. */
export function directus({ directusEnvelope }: Pick<Config, 'directusEnvelope'>): AuthDoorDialect {
  return { name: 'directus', errors: directusErrors, login: login(directusEnvelope), refresh: refresh(directusEnvelope), logout }
}

import type { Config } from '../../src/config/index.js'
import type { AuthDoorDialect } from '../dialect.js'
import { pinCookies } from './cookies.js'
import { pinErrors } from './errors.js'
import { login } from './login.js'
import { logout } from './logout.js'
import { refresh } from './refresh.js'

export { pinErrors } from './errors.js'

/** Name and PIN, both tokens in cookies (seed 001). Its three paths are those of routes/auth. */
export function pin(config: Pick<Config, 'publicUrl'>): AuthDoorDialect {
  const cookies = pinCookies(config)
  return { name: 'pin', errors: pinErrors, login: login(cookies), refresh: refresh(cookies), logout: logout(cookies) }
}

import type { DialectFactory } from '../dialect.js'
import { bearerErrors } from './errors.js'
import { keys } from './keys.js'
import { login } from './login.js'
import { logout } from './logout.js'
import { refresh } from './refresh.js'

/** JSON in, JSON out; a JWT or an API key as `Authorization: Bearer` (source 003). */
export const bearer: DialectFactory = (config) => ({
  name: 'bearer',
  prefixes: ['/api/v1/'],
  errors: bearerErrors(config),
  routes: async (app) => {
    await app.register(login)
    await app.register(refresh)
    await app.register(logout)
    await app.register(keys)
  },
})

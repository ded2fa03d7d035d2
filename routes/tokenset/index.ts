import type { DialectFactory } from '../dialect.js'
import { errors } from './errors.js'
import { login } from './login.js'
import { refresh } from './refresh.js'

/** Three tokens in one answer, all JWT; every refusal is a 400 (source 004). */
export const tokenset: DialectFactory = () => ({
  name: 'tokenset',
  prefixes: ['/v1/'],
  errors,
  routes: async (app) => {
    await app.register(login)
    await app.register(refresh)
  },
})

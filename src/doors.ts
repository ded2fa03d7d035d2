import { directusErrors } from '../plugins/directus-errors.js'
import type { PrefixedShape } from '../plugins/error-shape.js'
import { accountPrefix } from '../routes/account/index.js'
import { authDoor } from '../routes/auth/index.js'
import { bearer } from '../routes/bearer/index.js'
import type { Dialect, DialectFactory } from '../routes/dialect.js'
import { unservedPrefixes } from '../routes/directus/unserved.js'
import { oauthErrors } from '../routes/oauth/errors.js'
import { tokenset } from '../routes/tokenset/index.js'
import type { Config } from './config/index.js'

/** The dialects with paths of their own; the other two stand behind the door on /auth. */
const dialectFactories: readonly DialectFactory[] = [bearer, tokenset]

export type Door = Omit<Dialect, 'name'>

/** Everything that `DIALECTS` switches on. */
export const doorsOf = (config: Config): Door[] => [
  authDoor(config),
  ...dialectFactories.map((factory) => factory(config)).filter(({ name }) => config.dialects.includes(name)),
]

/** Who answers errors for which paths, from the first request on: while the service starts too. */
export const errorShapes = (config: Config): PrefixedShape[] => [
  { prefix: accountPrefix, shape: directusErrors },
  { prefix: '/oauth/', shape: oauthErrors },
  ...doorsOf(config).flatMap(({ prefixes, errors: shape }) => prefixes.map((prefix) => ({ prefix, shape }))),
  ...(config.dialects.includes('directus') ? unservedPrefixes : []).map((prefix) => ({ prefix, shape: directusErrors })),
]

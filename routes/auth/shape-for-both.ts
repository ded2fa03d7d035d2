import { directusErrors } from '../../plugins/directus-errors.js'
import type { ErrorShape } from '../../plugins/error-shape.js'
import type { AuthError } from '../../src/domain/errors.js'
import { pinErrors } from '../pin/index.js'

/**
 * `{"message","errors"}`: answers what fails before a dialect is chosen, and each kind of client reads its half. Where the two
 * tables differ in status, which none of those failures does, that of `pin` stands.
 */
export const shapeForBoth: ErrorShape = {
  name: 'auth',
  render(error: AuthError, path: string) {
    const { status, body } = pinErrors.render(error)
    return { status, body: { ...body, ...directusErrors.render(error, path).body } }
  },
}

import type { FastifyPluginAsync } from 'fastify'
import { changePassword } from './change-password.js'
import { disableTfa } from './disable-tfa.js'
import { enableTfa } from './enable-tfa.js'
import { endOtherSessions } from './end-other-sessions.js'
import { endSession } from './end-session.js'
import { generateTfa } from './generate-tfa.js'
import { listSessions } from './list-sessions.js'
import { me } from './me.js'
import { setPin } from './set-pin.js'

/** A user's own account, there whichever dialects are served. Errors in the shape of `directus` (plugins/directus-errors.ts). */
export const account: FastifyPluginAsync = async (app) => {
  for (const call of [me, changePassword, setPin, generateTfa, enableTfa, disableTfa, listSessions, endSession, endOtherSessions]) {
    await app.register(call)
  }
}

/** Unknown paths below it answer as the known ones do. */
export const accountPrefix = '/users/'

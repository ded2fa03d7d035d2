import type { FastifyReply } from 'fastify'
import { keysRemainingHeader } from '../../schemas/account.js'
import type { KeysAfter } from '../../src/domain/accounts.js'

/** In a header: the answer is 204, as clients know it, and has no body. */
export const tellKeys = <Reply extends Pick<FastifyReply, 'header'>>(reply: Reply, { remaining }: KeysAfter): Reply => {
  reply.header(keysRemainingHeader, remaining)
  return reply
}

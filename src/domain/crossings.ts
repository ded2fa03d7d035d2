import type { Origin, SessionState } from './model.js'
import { networkOf } from './network.js'
import type { PresentedRefreshToken } from './refresh-token.js'
import type { DialectPolicy, Service } from './service.js'

/**
 * A thief and a victim who both refresh inside the grace window get the same successors for ever. One of the two then uses a
 * predecessor from another network than its successor was asked for from, generation after generation. Somebody on the move does so
 * once, when an answer is lost and the network changes meanwhile: this many generations in a row are no accident.
 */
export const crossingsThatAreReuse = 3

/** Nobody can tell the holders of token 0 of a static client apart, and they are meant to present it from anywhere. */
export function isCrossing(presented: PresentedRefreshToken, { rotatedFrom }: SessionState, dialect: Pick<DialectPolicy, 'staticClients'>, origin: Origin): boolean {
  const isStaticToken = presented.generation === 0 && dialect.staticClients
  return !isStaticToken && rotatedFrom !== null && rotatedFrom !== networkOf(origin.ip)
}

/** Counts one, and tells of it once a generation. @returns whether there were so many in a row that it is reuse */
export async function noteCrossing(service: Service, { session, user, rotatedFrom }: SessionState, origin: Origin): Promise<boolean> {
  return service.repository.transaction(async (tx) => {
    const noted = await tx.sessions.noteCrossing(session.id, session.generation)
    if (noted?.isFirst) {
      const detail = { generation: session.generation, in_a_row: noted.inARow, rotated_from: rotatedFrom, presented_from: networkOf(origin.ip) }
      await tx.audit.append({ type: 'refresh_crossed_networks', actor: { kind: 'user', id: user.id }, userId: user.id, sessionId: session.id, dialect: session.dialect, origin, detail })
    }
    return noted !== null && noted.inARow >= crossingsThatAreReuse
  })
}

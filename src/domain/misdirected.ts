import type { DialectName, Origin } from './model.js'
import type { PresentedRefreshToken } from './refresh-token.js'
import type { Service } from './service.js'

/** A genuine token at another dialect's door: nothing is rotated, nothing revoked, and it is remembered. */
export async function auditMisdirected(service: Service, presentedAt: DialectName, presented: PresentedRefreshToken, origin: Origin, call: 'refresh' | 'logout'): Promise<void> {
  const event = service.auditRepeats.admit({
    type: 'refresh_misdirected',
    actor: { kind: 'user', id: 'unknown' },
    sessionId: presented.sessionId,
    dialect: presentedAt,
    origin,
    detail: { presented_at: presentedAt, issued_by: presented.dialect },
  }, { what: 'misdirected', subject: presented.sessionId, network: null, variant: `${call} ${presentedAt} ${presented.generation}` })
  if (event !== null) await service.repository.audit.append(event)
}

import type { FastifyRequest } from 'fastify'
import type { Origin } from '../src/domain/model.js'
import { clientAddress } from '../src/http/client-address.js'
import { redacted } from '../src/http/redaction.js'

const longestUserAgent = 300

/** Where a request comes from, for counters, sessions and the audit. */
export function originOf(request: FastifyRequest): Origin {
  const userAgent = request.headers['user-agent']?.replace(/[^\x20-\x7e]/g, '?')
  return { ip: clientAddress(request), userAgent: userAgent === undefined ? null : redacted(userAgent).slice(0, longestUserAgent), requestId: request.id }
}

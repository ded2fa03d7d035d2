import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { holdsCredential } from './http/redaction.js'

const saneRequestId = /^[A-Za-z0-9._-]{1,128}$/

/** By what an answer and its log line are found: the caller's `X-Request-Id`, if it is a sane one and no credential, else one of ours. */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && saneRequestId.test(given) && !holdsCredential(given) ? given : randomUUID()
}

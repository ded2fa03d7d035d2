import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { AuthError, malformed } from '../src/domain/errors.js'

/**
 * Reads the body of a request, if it has one of at least a byte; its `Content-Type` matters only then.
 * @param mediaType the only one that is taken, in UTF-8
 * @returns undefined for no body, or one of zero length
 * @throws AuthError unsupported_media_type | content_too_large, as soon as that is known; malformed when the client hangs up
 */
export async function readBody(request: FastifyRequest, payload: IncomingMessage, mediaType: string): Promise<Buffer | undefined> {
  const announced = announcedBytes(request)
  if (announced === 0) return undefined
  const limitBytes = request.routeOptions.bodyLimit
  const refusal = refusalOf(request, mediaType)
  if (announced !== null) {
    if (refusal !== null) throw refusal
    if (announced > limitBytes) throw new AuthError('content_too_large')
  }
  const bytes = await collect(payload, limitBytes, refusal)
  return bytes.length === 0 ? undefined : bytes
}

/** null: as many as come. */
function announcedBytes({ headers }: FastifyRequest): number | null {
  if (headers['transfer-encoding'] !== undefined) return null
  return Number(headers['content-length'] ?? 0)
}

function refusalOf({ headers }: FastifyRequest, mediaType: string): AuthError | null {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  const isFit = isMediaType(headers['content-type'] ?? '', mediaType) && (encoding === 'identity' || encoding === '')
  return isFit ? null : new AuthError('unsupported_media_type')
}

const charsets = /;\s*charset\s*=\s*("[^"]*"|[^;]*)/gi

/** Whether a `Content-Type` says this media type, and UTF-8 if it names a charset at all. */
export function isMediaType(contentType: string, mediaType: string): boolean {
  const essence = contentType.split(';', 1)[0] ?? ''
  const named = [...contentType.matchAll(charsets)].map(([, charset = '']) => charset.replaceAll('"', '').trim().toLowerCase())
  return essence.trim().toLowerCase() === mediaType && named.every((charset) => charset === 'utf-8' || charset === 'utf8')
}

/** @param refusal thrown at the first byte */
function collect(payload: IncomingMessage, limitBytes: number, refusal: AuthError | null): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0

    const onData = (chunk: Buffer): void => {
      length += chunk.length
      if (refusal !== null) settle(() => { reject(refusal) })
      else if (length > limitBytes) settle(() => { reject(new AuthError('content_too_large')) })
      else chunks.push(chunk)
    }
    const onEnd = (): void => { settle(() => { resolve(Buffer.concat(chunks, length)) }) }
    const onBroken = (): void => { settle(() => { reject(malformed('The body ended before it was complete')) }) }

    function settle(finish: () => void): void {
      payload.off('data', onData).off('end', onEnd).off('close', onBroken)
      // The rest of a refused body flows by unread: the client may still be sending, and the answer must reach it.
      payload.resume()
      finish()
    }

    // Nothing more will be heard of a stream that is over: waiting for its events would be waiting for ever.
    if (payload.destroyed || payload.readableEnded) {
      onBroken()
      return
    }
    // A broken stream closes too; the listener stays, for an error that nobody hears ends the process.
    payload.on('data', onData).on('end', onEnd).on('close', onBroken).on('error', onBroken)
  })
}

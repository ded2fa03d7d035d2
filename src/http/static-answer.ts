import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** An answer that is the same for everybody, made once: all who ask share its bytes. */
export interface StaticAnswer {
  readonly type: string
  readonly plain: Encoded
  /** null where it would not be smaller. */
  readonly gzipped: Encoded | null
}

interface Encoded {
  readonly bytes: Buffer
  readonly etag: string
}

const compress = promisify(gzip)

/** Compresses in the pool of threads, not in the one that answers. */
export async function makeStaticAnswer(type: string, bytes: Buffer): Promise<StaticAnswer> {
  const gzipped = await compress(bytes, { level: 9 })
  return { type, plain: encoded(bytes), gzipped: gzipped.length < bytes.length ? encoded(gzipped) : null }
}

const encoded = (bytes: Buffer): Encoded => ({ bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` })

/** Clients may keep it, and ask whether it is still the same. */
export function sendStaticAnswer(request: FastifyRequest, reply: FastifyReply, { type, plain, gzipped }: StaticAnswer): FastifyReply {
  const isGzipped = gzipped !== null && takesGzip(request.headers['accept-encoding'])
  const { bytes, etag } = isGzipped ? gzipped : plain
  reply.headers({ 'cache-control': 'no-cache', etag, vary: 'Accept-Encoding' })
  if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send()
  if (isGzipped) reply.header('content-encoding', 'gzip')
  return reply.type(type).send(bytes)
}

/** RFC 9110 §12.5.3. */
function takesGzip(header: string | string[] | undefined): boolean {
  const codings = [header ?? ''].flat().join().toLowerCase().split(',')
  return codings.some((coding) => {
    const [name = '', ...parameters] = coding.split(';').map((part) => part.trim())
    return name === 'gzip' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
  })
}

/** RFC 9110 §13.1.2: by the weak comparison. */
const isKnown = (header: string | undefined, etag: string): boolean =>
  header !== undefined && (header.trim() === '*' || header.split(',').some((known) => known.trim().replace(/^W\//, '') === etag))

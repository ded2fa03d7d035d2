import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AuthError } from '../src/domain/errors.js'
import { docsFiles } from '../src/http/docs-files.js'
import { once } from '../src/http/once.js'
import { makeStaticAnswer, sendStaticAnswer, type StaticAnswer } from '../src/http/static-answer.js'

export interface DocsPageOptions {
  /** Where clients reach the service: a path. */
  readonly publicPath: string
  /** The document that the page shows. */
  readonly document: () => Promise<StaticAnswer>
  /** What the page lets one choose from; the first is shown. */
  readonly entries: readonly { readonly name: string; readonly url: string }[]
}

/** Nothing from elsewhere, nothing inline. `data:` is for the icons in its style sheet. */
const contentSecurityPolicy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': ["'self'", 'data:'],
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
}

const prefix = '/docs'

/** `GET /docs`: a page to read and try the document. Not wrapped in fastify-plugin, so that its hook stays inside. */
export async function docsPage(app: FastifyInstance, { publicPath, document, entries }: DocsPageOptions): Promise<void> {
  const fileOf = docsFiles()
  const yaml = once(() => makeStaticAnswer('application/x-yaml', Buffer.from(app.swagger({ yaml: true }))))
  const made: Readonly<Record<string, () => Promise<StaticAnswer>>> = { [`${prefix}/json`]: document, [`${prefix}/yaml`]: yaml }

  // The page's own handlers open a file, or write the whole document, for every request.
  async function answerFromMemory(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const { url = '' } = request.routeOptions
    if (url === `${prefix}/static/*`) {
      const file = fileOf(nameIn(request.params))
      if (file === null) throw new AuthError('not_found')
      return sendStaticAnswer(request, reply, await file)
    }
    const answer = made[url]
    return answer === undefined ? undefined : sendStaticAnswer(request, reply, await answer())
  }

  app.addHook('preHandler', answerFromMemory)
  await app.register(swaggerUi, {
    routePrefix: prefix,
    indexPrefix: publicPath,
    staticCSP: contentSecurityPolicy,
    theme: { title: 'tessera: API' },
    uiConfig: { layout: 'StandaloneLayout', urls: [...entries], plugins: [withoutLogo], docExpansion: 'list', displayOperationId: false },
  })
}

/** Its style is inline, which the policy refuses. Sent to the page as it stands here. */
const withoutLogo = () => ({ components: { Logo: () => null } })

const nameIn = (params: unknown): string => (typeof params === 'object' && params !== null && '*' in params && typeof params['*'] === 'string' ? params['*'] : '')

import swagger from '@fastify/swagger'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { problems } from '../schemas/problem.js'
import type { Config } from '../src/config/index.js'
import { once } from '../src/http/once.js'
import { makeStaticAnswer, sendStaticAnswer } from '../src/http/static-answer.js'
import { describeRoute, finishDocument } from './openapi-document.js'
import { docsPage } from './docs-page.js'
import { accessTokenCookieName } from './token-extraction.js'

export interface OpenapiOptions {
  readonly config: Pick<Config, 'publicUrl'>
  /** Of the package. */
  readonly version: string
}

const description = `One identity, four documented APIs over it: \`pin\`, \`directus\`, \`bearer\` and \`tokenset\`. A user who logs in
through one of them is known to all. Errors are those of the API that a path belongs to; everything else answers with RFC 9457
problem details.`

const tags = [
  { name: 'pin', description: 'Name and PIN; tokens travel in cookies.' },
  { name: 'directus', description: 'Email and password; tokens in JSON, or the refresh token in a cookie.' },
  { name: 'bearer', description: 'Username and password, or API keys; tokens in JSON.' },
  { name: 'tokenset', description: 'Username or email, and password; ID, access and refresh token.' },
  { name: 'account', description: 'One’s own account, whichever API the session was opened through.' },
  { name: 'gateway', description: 'Forward authentication for a gateway.' },
  { name: 'oauth', description: 'For other services, which call in their own name.' },
  { name: 'fleet', description: 'For verifiers in other services.' },
  { name: 'admin', description: 'For operators.' },
  { name: 'well-known', description: 'What others need to trust our tokens.' },
  { name: 'health', description: 'For whoever starts, stops and watches the service.' },
]

/** Which of them a call takes is said there: any one of the alternatives. */
const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An access token (JWT), or an API key.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key.' },
  cookie: { type: 'apiKey', in: 'cookie', name: accessTokenCookieName, description: 'An access token, for browsers. Looked at only when nothing explicit is there.' },
  query: { type: 'apiKey', in: 'query', name: 'access_token', description: 'An access token, for what cannot send headers. On GET and HEAD.' },
  client: { type: 'http', scheme: 'basic', description: 'The id and the secret of a client.' },
} as const

/**
 * `GET /openapi.json`: the very schemas that validate, as OpenAPI 3.1; and `GET /docs`, a page to read and try them. Register it
 * before the routes.
 */
async function openapiPlugin(app: FastifyInstance, { config, version }: OpenapiOptions): Promise<void> {
  const { path } = config.publicUrl
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'tessera', version, description },
      // Relative to where the document was read, by whatever name the service is called.
      servers: [{ url: path === '' ? '/' : path }],
      tags,
      components: { securitySchemes },
    },
    stripBasePath: false,
    convertConstToEnum: false,
    transform: describeRoute,
    transformObject: finishDocument,
  })
  const document = once(() => makeStaticAnswer('application/json; charset=utf-8', Buffer.from(JSON.stringify(app.swagger()))))
  app.get('/openapi.json', { schema: documentSchema }, async (request, reply) => sendStaticAnswer(request, reply, await document()))
  await app.register(docsPage, { publicPath: path, document })
}

const documentSchema = {
  summary: 'This document',
  tags: ['well-known'],
  operationId: 'openapi',
  response: { 200: Type.Object({}, { additionalProperties: true, description: 'OpenAPI 3.1.' }), ...problems },
}

export default fp(openapiPlugin, { name: 'openapi', dependencies: ['security-headers'] })

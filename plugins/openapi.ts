import swagger from '@fastify/swagger'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { problems } from '../schemas/problem.js'
import type { Config } from '../src/config/index.js'
import type { DialectName } from '../src/domain/model.js'
import { once } from '../src/http/once.js'
import { makeStaticAnswer, sendStaticAnswer, type StaticAnswer } from '../src/http/static-answer.js'
import { describeRoute, describeRouteOf, finishDocument } from './openapi-document.js'
import { belowPublicPath } from './cookie-transport.js'
import { docsPage } from './docs-page.js'
import { accessTokenCookieName } from './token-extraction.js'

export interface OpenapiOptions {
  readonly config: Pick<Config, 'publicUrl' | 'dialects'>
  /** Of the package. */
  readonly version: string
}

const description = `One identity, four documented APIs over it: \`pin\`, \`directus\`, \`bearer\` and \`tokenset\`. A user who logs in
through one of them is known to all. Errors are those of the API that a path belongs to; everything else answers with RFC 9457
problem details.`

const tags = [
  { name: 'pin', description: 'Name and PIN; tokens travel in cookies.' },
  { name: 'directus', description: 'Email and password; tokens in JSON, or the refresh token in a cookie.' },
  { name: 'auth', description: 'The paths that `pin` and `directus` share: the body, or the cookie, says which of them answers.' },
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

/** What a document of one dialect shows: what has one of these tags. An account answers in the shape of directus. */
const tagsOfDialect = {
  pin: ['pin'],
  directus: ['directus', 'account'],
  bearer: ['bearer'],
  tokenset: ['tokenset'],
} as const satisfies Record<DialectName, readonly string[]>

/** Whoever asks by another method than a path has, or for a path that there is not, is told by every shape of errors alike. */
const otherErrors = 'A path that there is not answers 404; a method that a path does not have, 405 with the header `Allow`.'

/**
 * `GET /openapi.json`: the very schemas that validate, as OpenAPI 3.1; `GET /openapi/{dialect}.json`, the same of one dialect; and
 * `GET /docs`, a page to read and try them. Register it before the routes.
 */
async function openapiPlugin(app: FastifyInstance, { config, version }: OpenapiOptions): Promise<void> {
  const { path } = config.publicUrl
  const common = {
    openapi: '3.1.0',
    // Relative to where the document was read, by whatever name the service is called.
    servers: [{ url: path === '' ? '/' : path }],
    tags,
    components: { securitySchemes },
  }
  const license = { name: 'Apache-2.0', identifier: 'Apache-2.0' }

  async function document(name: string, about: string, transform: typeof describeRoute): Promise<() => Promise<StaticAnswer>> {
    const decorator = name === '' ? 'swagger' : `swagger ${name}`
    const info = { title: name === '' ? 'tessera' : `tessera: ${name}`, version, description: `${about}\n\n${otherErrors}`, license }
    await app.register(swagger, { decorator, openapi: { ...common, info }, stripBasePath: false, convertConstToEnum: false, transform, transformObject: finishDocument })
    const generate = app.getDecorator<() => object>(decorator)
    return once(() => makeStaticAnswer('application/json; charset=utf-8', Buffer.from(JSON.stringify(generate()))))
  }

  const whole = await document('', description, describeRoute)
  app.get('/openapi.json', { schema: documentSchema }, async (request, reply) => sendStaticAnswer(request, reply, await whole()))
  for (const name of config.dialects) {
    const about = tags.find((tag) => tag.name === name)?.description ?? ''
    const own = await document(name, `${about} This is one API of tessera; \`/openapi.json\` describes all of them.`, describeRouteOf(name, tagsOfDialect[name]))
    app.get(documentPath(name), { schema: { ...documentSchema, summary: `The API ${name} alone`, operationId: `openapi${capitalized(name)}` } }, async (request, reply) => sendStaticAnswer(request, reply, await own()))
  }
  const entries = [{ name: 'everything', url: belowPublicPath(config.publicUrl, '/openapi.json') }, ...config.dialects.map((name) => ({ name, url: belowPublicPath(config.publicUrl, documentPath(name)) }))]
  await app.register(docsPage, { publicPath: path, document: whole, entries })
}

const documentPath = (dialect: DialectName): string => `/openapi/${dialect}.json`

const capitalized = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1)

const documentSchema = {
  summary: 'This document',
  tags: ['well-known'],
  operationId: 'openapi',
  response: { 200: Type.Object({}, { title: 'OpenapiDocument', additionalProperties: true, description: 'OpenAPI 3.1.' }), 304: Type.Null({ description: 'It is still what `If-None-Match` names.' }), ...problems },
}

export default fp(openapiPlugin, { name: 'openapi', dependencies: ['security-headers'] })

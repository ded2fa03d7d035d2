import swagger from '@fastify/swagger'
import Fastify from 'fastify'
import t from 'tap'
import { authDoor } from '../../../routes/auth/index.js'
import { readConfig } from '../../../src/config/index.js'

/** What OpenAPI says of the door, with these dialects switched on. */
async function operationsOf(dialects: string) {
  const app = Fastify()
  await app.register(swagger, { openapi: {} })
  await app.register(authDoor(readConfig({ DIALECTS: dialects })).routes)
  await app.ready()
  return app.swagger()
}

await t.test('the paths of the door are described with the bodies and answers of both dialects', async (t) => {
  const { paths } = await operationsOf('pin,directus,bearer,tokenset')
  t.match(paths, {
    '/auth/login': {
      post: {
        operationId: 'authLogin',
        tags: ['auth'],
        requestBody: { content: { 'application/json': { schema: { anyOf: [{ required: ['name', 'pin'] }, { required: ['email', 'password'] }] } } } },
        responses: {
          200: { description: /^pin: .*directus: / },
          400: { content: { 'application/json': { schema: { anyOf: [{ required: ['message'] }, { required: ['errors'] }, { required: ['message', 'errors'] }] } } } },
          401: { description: /INVALID_OTP/ },
        },
      },
    },
    '/auth/refresh': { post: { operationId: 'authRefresh', responses: { 200: {}, 400: {}, 401: {}, 403: {}, 413: {}, 415: {}, 429: {}, 500: {}, 503: {} } } },
    '/auth/logout': { post: { operationId: 'authLogout', responses: { 200: { description: /Deletes the cookies/ }, 204: { description: /^No body/ } } } },
  })
})

await t.test('a dialect that is off is not described, and with both off there is nothing', async (t) => {
  t.notMatch(JSON.stringify(await operationsOf('pin')), /directus|errors|refresh_token/)
  t.notMatch(JSON.stringify(await operationsOf('directus')), /"pin"|refreshToken/)
  t.same((await operationsOf('bearer')).paths, {})
})

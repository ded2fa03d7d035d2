import t from 'tap'
import { everyCredentialIsOneIdentity, logoutsCount, refusalsKeepTheirMeaning, servicesGetNoCredential, setUpGateway, type StartGateway } from '../support/gateways.js'
import { skipWithoutNginx as skip, startNginx } from '../support/nginx.js'

const start: StartGateway = (t, { tessera, orders }) => startNginx(t, 'docs/gateways/nginx.conf', { '127.0.0.1:9154': tessera, '127.0.0.1:3000': orders })

await t.test('case 62: through nginx, every credential is one identity, and what a client calls itself is replaced', { skip }, (t) => everyCredentialIsOneIdentity(t, start))

// auth_request knows no 400.
await t.test('through nginx, refusals keep their meaning, and none is a 5xx', { skip }, (t) => refusalsKeepTheirMeaning(t, start, { twoCredentials: 403 }))

await t.test('through nginx, a logout ends the token at once, the query is logged nowhere, and without tessera it is 503', { skip }, (t) => logoutsCount(t, start))

await t.test('the question to tessera is nobody else’s to ask', { skip }, async (t) => {
  const { ask, bearer } = await setUpGateway(t, start)
  t.equal((await ask('/_verify', bearer)).status, 404)
})

await t.test('through nginx, a service gets no credential of tessera, and no client takes an identity header away [attack:credential-to-the-service]', { skip }, (t) => servicesGetNoCredential(t, start))

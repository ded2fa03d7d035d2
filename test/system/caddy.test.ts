import t from 'tap'
import { skipWithoutCaddy as skip, startCaddy } from '../support/caddy.js'
import { everyCredentialIsOneIdentity, logoutsCount, refusalsKeepTheirMeaning, servicesGetNoCredential } from '../support/gateways.js'

await t.test('case 62: through Caddy, every credential is one identity, and what a client calls itself is replaced', { skip }, (t) => everyCredentialIsOneIdentity(t, startCaddy))

await t.test('through Caddy, refusals keep their meaning, and none is a 5xx', { skip }, (t) => refusalsKeepTheirMeaning(t, startCaddy, { twoCredentials: 400 }))

await t.test('through Caddy, a logout ends the token at once, the query is logged nowhere, and without tessera it is 503', { skip }, (t) => logoutsCount(t, startCaddy))

await t.test('through Caddy, a service gets no credential of tessera, and no client takes an identity header away [attack:credential-to-the-service]', { skip }, (t) => servicesGetNoCredential(t, startCaddy))

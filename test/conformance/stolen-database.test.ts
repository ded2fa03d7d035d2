import t from 'tap'
import { createApiKey } from '../../src/domain/api-keys.js'
import { base32, newTotpSecret, recoveryCodeHash } from '../../src/domain/totp.js'
import { startTestApp, testMasterSecret } from '../support/app.js'
import { logIn } from '../support/log-in.js'
import { serviceOf } from '../support/sessions.js'

const password = 'canary password, 3 words'
const pin = '824613957024'

/** The ways in which a text could stand in a dump. */
const spellings = (canary: string): string[] => {
  const bytes = Buffer.from(canary)
  return [canary, bytes.toString('hex'), bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
}

await t.test('a stolen database shows no password, PIN, API key, token, TOTP secret, recovery code or private key', async (t) => {
  const node = await startTestApp(t)
  const user = await node.createUser({ username: 'jane', email: 'jane@example.com', password, pin })
  const { secret: apiKey } = await createApiKey(node.core.service, user.id, { name: 'k', scopes: null, expiresAt: null }, { origin: null })
  const { accessToken, refreshToken } = await logIn(node, 'jane', password)
  const totpSecret = newTotpSecret()
  const recoveryCode = 'abcde-23456'
  const { keyring, repository } = node.core.service
  await repository.credentials.enableTotp(user.id, keyring.seal('totp', totpSecret, user.id), 0, [recoveryCodeHash(serviceOf(node), user.id, recoveryCode)])

  const client = await node.database.client()
  const { rows: tables } = await client.query<{ name: string }>(`SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`)
  let dump = ''
  for (const { name } of tables) {
    const { rows } = await client.query<{ line: string }>(`SELECT t::text AS line FROM ${name} t`)
    dump += rows.map(({ line }) => line).join('\n')
  }
  t.match(dump, 'jane@example.com', 'the dump is of this database')
  const canaries = { password, pin, apiKey, accessToken, refreshToken, recoveryCode, totp: base32(totpSecret), masterSecret: testMasterSecret }
  for (const [name, canary] of Object.entries(canaries)) {
    for (const spelling of spellings(canary)) t.notOk(dump.includes(spelling), name)
  }
  t.notOk(dump.includes(totpSecret.toString('hex')), 'the bytes of the TOTP secret')
  for (const purpose of ['refresh', 'pin_pepper', 'totp', 'log_hash', 'audit'] as const) {
    t.notOk(dump.includes(keyring.current(purpose).secret.toString('hex')), `the data key ${purpose}`)
  }
  t.notMatch(dump, /PRIVATE KEY|"d":/, 'a private key')
  t.notOk(dump.includes('308187020100301306072a8648ce3d0201'), 'a private key as DER')
})

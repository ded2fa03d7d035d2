import t from 'tap'
import type { Repository } from '../../src/domain/ports.js'
import { createTestRepository, fakeHash, insertUser, malformedIds, openSession, times, unknownId } from '../support/repository.js'

const network = '203.0.113.7'
const stored = async ({ users }: Repository, id: string) => {
  const record = await users.findForReauthentication(id, network)
  return { password: record?.passwordHash, pin: record?.pin, totp: record?.totp }
}

await t.test('the last password and the last PIN that were set are the ones that count', async (t) => {
  const { repository } = await createTestRepository(t)
  const { credentials } = repository
  const { id } = await insertUser(repository, 'jane')
  const [first, second] = [fakeHash(), fakeHash()]
  await credentials.setPassword(id, first)
  await credentials.setPassword(id, second)
  await credentials.setPin(id, { hash: first, pepperKid: 'old' })
  await credentials.setPin(id, { hash: second, pepperKid: 'new' })
  t.same(await stored(repository, id), { password: second, pin: { hash: second, pepperKid: 'new' }, totp: null })
})

await t.test('a rehash never undoes a change of password or PIN', async (t) => {
  const { repository } = await createTestRepository(t)
  const { credentials } = repository
  const { id } = await insertUser(repository, 'jane')
  const [old, rehashed, changed] = [fakeHash(), fakeHash('m=65536,t=3,p=1'), fakeHash()]
  await credentials.setPassword(id, old)
  await credentials.setPin(id, { hash: old, pepperKid: 'a' })

  await credentials.replacePasswordHash(id, old, rehashed)
  await credentials.replacePinHash(id, old, { hash: rehashed, pepperKid: 'b' })
  t.same(await stored(repository, id), { password: rehashed, pin: { hash: rehashed, pepperKid: 'b' }, totp: null })
  t.same(await credentials.storedCosts(), ['m=65536,t=3,p=1'])

  await credentials.setPassword(id, changed)
  await credentials.setPin(id, { hash: changed, pepperKid: 'b' })
  await credentials.replacePasswordHash(id, rehashed, old)
  await credentials.replacePinHash(id, rehashed, { hash: old, pepperKid: 'a' })
  t.same(await stored(repository, id), { password: changed, pin: { hash: changed, pepperKid: 'b' }, totp: null })
})

await t.test('the stored costs are named once each, however many hashes have them', async (t) => {
  const { repository } = await createTestRepository(t)
  const { credentials } = repository
  t.same(await credentials.storedCosts(), [])
  for (const [index, cost] of ['m=8,t=1,p=1', 'm=19456,t=2,p=1', 'm=8,t=1,p=1', 'm=65536,t=3,p=4'].entries()) {
    const { id } = await insertUser(repository, `user-${index}`)
    await credentials.setPassword(id, fakeHash(cost))
    await credentials.setPin(id, { hash: fakeHash('m=16,t=1,p=1'), pepperKid: 'a' })
  }
  t.same((await credentials.storedCosts()).sort(), ['m=16,t=1,p=1', 'm=19456,t=2,p=1', 'm=65536,t=3,p=4', 'm=8,t=1,p=1'])
})

await t.test('what is no hash is not stored, and not repeated', async (t) => {
  const { repository: { credentials } } = await createTestRepository(t)
  const error: unknown = await credentials.setPassword(unknownId, 'hunter2').catch((reason: unknown) => reason)
  t.type(error, Error)
  t.notMatch(String(error), /hunter2/)
})

await t.test('a code of TOTP is accepted once, and none before it any more', async (t) => {
  const { repository } = await createTestRepository(t)
  const { credentials } = repository
  const { id } = await insertUser(repository, 'jane')
  t.equal(await credentials.consumeTotpStep(id, 100), false, 'without TOTP there is no code')
  t.equal(await credentials.hasTotp(id), false)
  await credentials.enableTotp(id, Buffer.from('sealed'), 100, [])
  t.equal(await credentials.hasTotp(id), true)
  t.equal(await credentials.consumeTotpStep(id, 100), false, 'the code that enabled it is used up')
  const accepted = await Promise.all(times(20, () => credentials.consumeTotpStep(id, 101)))
  t.equal(accepted.filter(Boolean).length, 1)
  t.equal(await credentials.consumeTotpStep(id, 103), true)
  t.equal(await credentials.consumeTotpStep(id, 102), false)
})

await t.test('a recovery code is accepted once, by its owner', async (t) => {
  const { repository } = await createTestRepository(t)
  const { credentials } = repository
  const [jane, john] = [await insertUser(repository, 'jane'), await insertUser(repository, 'john')]
  await credentials.enableTotp(jane.id, Buffer.from('s'), 0, [Buffer.from([0, 255]), Buffer.from('b')])
  t.equal(await credentials.consumeRecoveryCode(john.id, Buffer.from('b')), false)
  const accepted = await Promise.all(times(20, () => credentials.consumeRecoveryCode(jane.id, Buffer.from([0, 255]))))
  t.equal(accepted.filter(Boolean).length, 1)
  t.equal(await credentials.consumeRecoveryCode(jane.id, Buffer.from('c')), false)
  t.equal(await credentials.consumeRecoveryCode(jane.id, Buffer.from('b')), true)
})

await t.test('enabling TOTP anew replaces secret and recovery codes, disabling takes both away', async (t) => {
  const { repository } = await createTestRepository(t)
  const { credentials } = repository
  const { id } = await insertUser(repository, 'jane')
  await credentials.enableTotp(id, Buffer.from('one'), 5, [Buffer.from('old')])
  await credentials.enableTotp(id, Buffer.from('two'), 7, [Buffer.from('new')])
  t.same((await stored(repository, id)).totp, { sealedSecret: Buffer.from('two'), lastUsedStep: 7, recoveryCodeHashes: [Buffer.from('new')] })
  t.equal(await credentials.consumeTotpStep(id, 7), false)
  t.equal(await credentials.consumeRecoveryCode(id, Buffer.from('old')), false)

  t.equal(await credentials.disableTotp(id), true)
  t.equal(await credentials.disableTotp(id), false)
  t.equal(await credentials.hasTotp(id), false)
  t.equal(await credentials.consumeRecoveryCode(id, Buffer.from('new')), false)
})

await t.test('a generated secret waits for its own session, and not too long', async (t) => {
  const { repository, clock } = await createTestRepository(t)
  const { credentials } = repository
  const user = await insertUser(repository, 'jane')
  const { session: { id } } = await openSession(repository, user)
  const { session: other } = await openSession(repository, user)
  await credentials.saveTotpEnrolment(id, Buffer.from('one'), 600)
  await credentials.saveTotpEnrolment(id, Buffer.from('two'), 600)
  t.same(await credentials.findTotpEnrolment(id), Buffer.from('two'), 'the last one counts')
  t.equal(await credentials.findTotpEnrolment(other.id), null)
  await clock.advance(590)
  t.same(await credentials.findTotpEnrolment(id), Buffer.from('two'))
  await clock.advance(11)
  t.equal(await credentials.findTotpEnrolment(id), null)

  await credentials.saveTotpEnrolment(id, Buffer.from('three'), 600)
  await credentials.deleteTotpEnrolment(id)
  t.equal(await credentials.findTotpEnrolment(id), null)
})

await t.test('for who does not exist there is nothing to find, to use or to break', async (t) => {
  const { repository: { credentials } } = await createTestRepository(t)
  for (const id of [unknownId, ...malformedIds]) {
    await credentials.setPassword(id, fakeHash())
    await credentials.replacePasswordHash(id, fakeHash(), fakeHash())
    await credentials.setPin(id, { hash: fakeHash(), pepperKid: 'a' })
    await credentials.replacePinHash(id, fakeHash(), { hash: fakeHash(), pepperKid: 'a' })
    await credentials.enableTotp(id, Buffer.from('s'), 0, [Buffer.from('a')])
    await credentials.saveTotpEnrolment(id, Buffer.from('s'), 600)
    await credentials.deleteTotpEnrolment(id)
    t.equal(await credentials.hasTotp(id), false)
    t.equal(await credentials.disableTotp(id), false)
    t.equal(await credentials.consumeTotpStep(id, 1), false)
    t.equal(await credentials.consumeRecoveryCode(id, Buffer.from('a')), false)
    t.equal(await credentials.findTotpEnrolment(id), null)
  }
})

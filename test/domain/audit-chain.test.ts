import t, { type Test } from 'tap'
import { pruneAudit, sealAudit, verifyAudit } from '../../src/domain/audit-chain.js'
import { openKeyring } from '../../src/domain/keyring.js'
import { createTestRepository } from '../support/repository.js'

const writer = { kind: 'service', id: 'test' } as const

async function sealedTrail(t: Test, events: number) {
  const { repository, database } = await createTestRepository(t)
  const keyring = await openKeyring(repository, { current: 'a master secret for tests, and for tests alone', previous: null })
  const vault = { repository, keyring }
  for (let i = 0; i < events; i += 1) await repository.audit.append({ type: 'login_failed', actor: writer, detail: { i } })
  const head = await sealAudit(vault)
  return { vault, head, client: await database.client() }
}

await t.test('an untouched trail is intact, and its head is the one that was told', async (t) => {
  const { vault, head } = await sealedTrail(t, 5)
  t.match(head, { seq: 5 })
  t.same(await verifyAudit(vault, head), { intact: true, events: 5, head })
  t.equal(await sealAudit(vault), null, 'nothing is left to seal')
})

await t.test('a changed event, a changed seal, a deleted event and a deleted seal are each named', async (t) => {
  const changes: [sql: string, fault: object][] = [
    [`UPDATE audit_events SET detail = '{"i":9}' WHERE id = 3`, { seq: 3, problem: 'the event or its seal was changed' }],
    [`UPDATE audit_events SET at = at + interval '1 microsecond' WHERE id = 2`, { seq: 2, problem: 'the event or its seal was changed' }],
    [`UPDATE audit_seals SET mac = decode(repeat('00', 32), 'hex') WHERE seq = 4`, { seq: 4, problem: 'the event or its seal was changed' }],
    ['DELETE FROM audit_events WHERE id = 3', { seq: 3, problem: 'the event is gone' }],
    ['DELETE FROM audit_seals WHERE seq = 2', { seq: 2, problem: 'the seal is missing' }],
    ['DELETE FROM audit_events WHERE id = 5; DELETE FROM audit_seals WHERE seq = 5', { seq: 5, problem: /newest rows are missing/ }],
  ]
  for (const [sql, fault] of changes) {
    const { vault, head, client } = await sealedTrail(t, 5)
    await client.query(sql)
    t.match(await verifyAudit(vault, head), { intact: false, fault }, sql)
  }
})

await t.test('an event that was put in beside the chain is named, once the sealer would have taken it', async (t) => {
  const { vault, head, client } = await sealedTrail(t, 2)
  await client.query(`INSERT INTO audit_events (type, actor, at) VALUES ('logout', 'user:x', now() - interval '1 hour')`)
  t.match(await verifyAudit(vault, head), { intact: false, fault: { eventId: 3, problem: /has no seal/ } })
})

await t.test('what is old is deleted, a checkpoint stays, and the chain goes on', async (t) => {
  const { vault, head, client } = await sealedTrail(t, 4)
  t.equal(await pruneAudit(vault, new Date(Date.now() - 60_000), writer), 0)
  t.equal(await pruneAudit(vault, new Date(Date.now() + 60_000), writer), 4)
  t.match(await verifyAudit(vault, head), { intact: true, events: 0 })
  await vault.repository.audit.append({ type: 'logout', actor: writer })
  t.match(await sealAudit(vault), { seq: 6 }, 'the pruning is an event itself')
  t.match(await verifyAudit(vault, null), { intact: true, events: 2 })
  await client.query(`UPDATE audit_checkpoints SET mac = decode(repeat('00', 32), 'hex')`)
  t.match(await verifyAudit(vault, null), { intact: false, fault: { problem: 'the checkpoint was not made by this service' } })
})

await t.test('who verifies while somebody prunes is told of no break', async (t) => {
  const { vault } = await sealedTrail(t, 6)
  const { auditChain } = vault.repository
  let pruned = false
  const repository = {
    ...vault.repository,
    auditChain: {
      ...auditChain,
      sealsAfter: async (seq: number, limit: number) => {
        if (!pruned) {
          pruned = true
          await pruneAudit(vault, new Date(Date.now() + 60_000), writer)
        }
        return auditChain.sealsAfter(seq, limit)
      },
    },
  }
  await vault.repository.audit.append({ type: 'logout', actor: writer })
  t.match(await verifyAudit({ ...vault, repository }, null), { intact: true })
  await sealAudit(vault)
  pruned = false
  t.match(await verifyAudit({ ...vault, repository }, null), { intact: true }, 'and where seals are left after it')
})

await t.test('what waits for a seal is counted, up to a limit', async (t) => {
  const { vault } = await sealedTrail(t, 2)
  const { audit, auditChain } = vault.repository
  t.equal(await auditChain.countUnsealed(10), 0)
  for (let i = 0; i < 3; i += 1) await audit.append({ type: 'logout', actor: writer })
  t.strictSame([await auditChain.countUnsealed(10), await auditChain.countUnsealed(2)], [3, 2])
})

await t.test('four sealers at once make one chain', async (t) => {
  const { vault } = await sealedTrail(t, 1)
  for (let i = 0; i < 50; i += 1) await vault.repository.audit.append({ type: 'logout', actor: writer })
  await Promise.all([1, 2, 3, 4].map(() => sealAudit(vault)))
  t.match(await verifyAudit(vault, null), { intact: true, events: 51 })
})

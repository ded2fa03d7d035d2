import t from 'tap'
import { v7 as uuid } from 'uuid'
import { startFleet } from '../support/fleet.js'
import { times } from '../support/repository.js'

const rounds = 50
const revocationsARound = 8

const [a, b = a] = await startFleet(t, 2)

/** Seconds by subject, of what is committed now. */
async function spans(): Promise<Map<string, number>> {
  const { rows } = await a.core.pool.query<{ subject: string; seconds: number }>('SELECT subject, extract(epoch FROM expires_at - created_at)::integer AS seconds FROM revocations')
  return new Map(rows.map(({ subject, seconds }) => [subject, seconds]))
}

await t.test(`a node raises the bound while another one revokes, ${rounds} times: what becomes visible after that outlives the longer tokens [fault:bound-raised-while-revoking]`, async (t) => {
  let early = 0
  for (let round = 1; round <= rounds; round += 1) {
    const bound = 3600 + round * 60
    const revoking = Promise.all(times(revocationsARound, () =>
      b.core.service.repository.transaction(async (tx) => {
        await tx.revocations.announce({ kind: 'session', subject: uuid() })
        // A change that goes on after its revocation is written.
        await tx.fleet.longestTokenSeconds()
      })))
    await a.core.service.repository.fleet.allowTokensOf(bound)
    const visible = await spans()
    await revoking
    const late = [...(await spans())].filter(([subject]) => !visible.has(subject))
    early += visible.size
    const tooShort = late.filter(([, seconds]) => seconds < bound + 60)
    if (tooShort.length > 0) t.fail(`round ${round}: ${tooShort.length} of ${late.length} end before tokens that may be signed already`)
  }
  t.equal((await spans()).size, rounds * revocationsARound)
  t.ok(early > 0, 'some were written before')
  t.equal(await b.core.service.repository.fleet.longestTokenSeconds(), 3600 + rounds * 60)
})

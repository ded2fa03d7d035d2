import { createHmac, timingSafeEqual } from 'node:crypto'
import type { DataKey, Keyring } from './keyring.js'
import type { Actor } from './model.js'
import type { Checkpoint, Repository, Seal, SealedEvent } from './ports.js'

/** Where the chain stands; told to the log, so that the newest rows cannot be cut off unseen. */
export interface ChainHead {
  readonly seq: number
  /** Hexadecimal. */
  readonly mac: string
}

interface Vault {
  readonly repository: Repository
  readonly keyring: Keyring
}

const batch = 500
const beginning = Buffer.alloc(32)

const macOf = (key: DataKey, previous: Buffer, seq: number, text: string): Buffer =>
  createHmac('sha256', key.secret).update(previous).update(`${seq}\n`).update(text).digest()

const proofOf = (key: DataKey, seq: number, mac: Buffer): Buffer => createHmac('sha256', key.secret).update(`checkpoint ${seq}\n`).update(mac).digest()

/**
 * Seals what has been written since the last time, one batch; no request waits for it.
 * @returns the new head, or null when there was nothing to do or another node does it
 */
export async function sealAudit({ repository, keyring }: Vault): Promise<ChainHead | null> {
  return repository.transaction(async (tx) => {
    if (!(await tx.auditChain.tryLock())) return null
    const events = await tx.auditChain.unsealed(batch)
    if (events.length === 0) return null
    const key = keyring.current('audit')
    let { seq, mac } = await chainEnd(tx)
    const seals: Seal[] = []
    for (const event of events) {
      seq += 1
      mac = macOf(key, mac, seq, event.text)
      seals.push({ seq, eventId: event.id, mac, kid: key.kid })
    }
    await tx.auditChain.insertSeals(seals)
    return { seq, mac: mac.toString('hex') }
  })
}

async function chainEnd(tx: Repository): Promise<{ seq: number; mac: Buffer }> {
  return (await tx.auditChain.lastSeal()) ?? (await tx.auditChain.lastCheckpoint()) ?? { seq: 0, mac: beginning }
}

/** What is wrong, of the first row where something is. */
export interface ChainFault {
  readonly seq: number | null
  readonly eventId: number | null
  readonly problem: string
}

export type ChainReport = { readonly intact: true; readonly events: number; readonly head: ChainHead } | { readonly intact: false; readonly fault: ChainFault }

/**
 * Walks the whole chain.
 * @param expected a head from the log: then rows that were cut off at the end are missed too
 */
export async function verifyAudit(vault: Vault, expected: ChainHead | null): Promise<ChainReport> {
  const checkpoint = await vault.repository.auditChain.lastCheckpoint()
  const report = await walk(vault, checkpoint, expected)
  if (report.intact) return report
  // What was pruned while we walked looks as if it were missing.
  const newer = await vault.repository.auditChain.lastCheckpoint()
  return newer?.seq === checkpoint?.seq ? report : verifyAudit(vault, expected)
}

async function walk({ repository, keyring }: Vault, checkpoint: Checkpoint | null, expected: ChainHead | null): Promise<ChainReport> {
  const chain = repository.auditChain
  if (checkpoint && !isGenuine(keyring, checkpoint)) return broken(checkpoint.seq, null, 'the checkpoint was not made by this service')
  let end: { seq: number; mac: Buffer } = checkpoint ?? { seq: 0, mac: beginning }
  let events = 0
  // A head from before the checkpoint went with what was pruned.
  let seen = expected === null || expected.seq < end.seq || sameHead(end, expected)
  for (;;) {
    const seals = await chain.sealsAfter(end.seq, batch)
    if (seals.length === 0) break
    for (const seal of seals) {
      const problem = problemOf(keyring, end, seal)
      if (problem !== null) return broken(problem.includes('missing') ? end.seq + 1 : seal.seq, problem.includes('missing') ? null : seal.eventId, problem)
      end = seal
      events += 1
      seen ||= sameHead(end, expected)
    }
  }
  const [overlooked] = await chain.overlooked()
  if (overlooked !== undefined) return broken(null, overlooked, 'the event has no seal: it was put in beside the chain, or its seal was taken away')
  if (!seen) return broken(expected?.seq ?? null, null, 'the chain does not contain the head that the log shows: its newest rows are missing or were made anew')
  return { intact: true, events, head: { seq: end.seq, mac: end.mac.toString('hex') } }
}

const broken = (seq: number | null, eventId: number | null, problem: string): ChainReport => ({ intact: false, fault: { seq, eventId, problem } })

const sameHead = (end: { seq: number; mac: Buffer }, expected: ChainHead | null): boolean => end.seq === expected?.seq && end.mac.toString('hex') === expected.mac

function problemOf(keyring: Keyring, end: { seq: number; mac: Buffer }, seal: SealedEvent): string | null {
  if (seal.seq !== end.seq + 1) return 'the seal is missing'
  if (seal.text === null) return 'the event is gone'
  const key = keyring.find('audit', seal.kid)
  return key && timingSafeEqual(macOf(key, end.mac, seal.seq, seal.text), seal.mac) ? null : 'the event or its seal was changed'
}

function isGenuine(keyring: Keyring, { seq, mac, proof, kid }: Checkpoint): boolean {
  const key = keyring.find('audit', kid)
  return key !== null && timingSafeEqual(proofOf(key, seq, mac), proof)
}

/**
 * Deletes what is older, and leaves a checkpoint where the chain goes on. A broken chain is not pruned: that would hide the break.
 * @returns how many events went
 */
export async function pruneAudit(vault: Vault, before: Date, actor: Actor): Promise<number | ChainFault> {
  const report = await verifyAudit(vault, null)
  if (!report.intact) return report.fault
  return vault.repository.transaction(async (tx) => {
    const seal = await tx.auditChain.lastSealBefore(before)
    if (seal === null) return 0
    const key = vault.keyring.current('audit')
    await tx.auditChain.insertCheckpoint({ seq: seal.seq, mac: seal.mac, proof: proofOf(key, seal.seq, seal.mac), kid: key.kid })
    const events = await tx.auditChain.deleteUpTo(seal.seq)
    await tx.audit.append({ type: 'audit_pruned', actor, detail: { before: before.toISOString(), events, seal: seal.seq } })
    return events
  })
}

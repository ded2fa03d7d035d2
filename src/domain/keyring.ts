import { createHmac, randomBytes } from 'node:crypto'
import { deriveKeyEncryptionKey, seal, unseal, type KeyEncryptionKey } from './envelope.js'
import type { KeyWrap, Repository, StoredDataKey } from './ports.js'

const dataKeyPurposes = ['refresh', 'pin_pepper', 'totp', 'log_hash', 'audit'] as const
export type DataKeyPurpose = (typeof dataKeyPurposes)[number]

export interface DataKey {
  readonly kid: string
  readonly secret: Buffer
}

/** The random keys that work, opened by the master secret. */
export interface Keyring {
  /** The key to use for something new. */
  current(purpose: DataKeyPurpose): DataKey
  /** The key that something stored or presented names. */
  find(purpose: DataKeyPurpose, kid: string): DataKey | null
  /** AES-256-GCM under the current key of the purpose, which the box names. */
  seal(purpose: DataKeyPurpose, plaintext: Buffer, context: string): Buffer
  unseal(purpose: DataKeyPurpose, box: Buffer, context: string): Buffer | null
  hmac(purpose: DataKeyPurpose, text: string): Buffer
  /** For the secret part of a key that has rows of its own (signing keys). */
  wrap(kid: string, secret: Buffer): KeyWrap[]
  unwrap(wraps: readonly KeyWrap[]): Buffer | null
}

/** The master secret does not fit this database. One line for the operator. */
export class KeyringError extends Error {
  override readonly name = 'KeyringError'
}

export interface MasterSecrets {
  readonly current: string
  /** While the secret is being changed node by node. */
  readonly previous: string | null
}

/**
 * Opens all data keys, creates what is missing, and re-wraps under the current secret what only its predecessor opens.
 * Without a predecessor the change is over: wraps of older secrets are deleted.
 * @throws KeyringError when neither secret opens the keys; then nothing was created or changed
 */
export async function openKeyring(repository: Repository, secrets: MasterSecrets): Promise<Keyring> {
  const keks = [secrets.current, ...(secrets.previous === null ? [] : [secrets.previous])].map(deriveKeyEncryptionKey)
  return repository.transaction(async (tx) => {
    await tx.keys.lock()
    const stored = await tx.keys.dataKeys()
    const wraps = await tx.keys.wraps()
    const opened = openAll(wraps, keks)
    const created = await createMissing(tx, stored, keks)
    await rewrap(tx, wraps, opened, keks)
    return createKeyring([...stored, ...created.keys], new Map([...opened, ...created.secrets]), keks)
  })
}

/** kid → secret. */
function openAll(wraps: readonly KeyWrap[], keks: readonly KeyEncryptionKey[]): Map<string, Buffer> {
  const opened = new Map<string, Buffer>()
  for (const [kid, ofKid] of groupByKid(wraps)) {
    const secret = unwrapWith(keks, ofKid)
    if (secret === null) throw new KeyringError('MASTER_SECRET does not open the keys in this database: give the secret it was set up with, or its predecessor as MASTER_SECRET_PREVIOUS; nothing was changed')
    opened.set(kid, secret)
  }
  return opened
}

function groupByKid(wraps: readonly KeyWrap[]): Map<string, KeyWrap[]> {
  const groups = new Map<string, KeyWrap[]>()
  for (const wrap of wraps) groups.set(wrap.kid, [...(groups.get(wrap.kid) ?? []), wrap])
  return groups
}

function unwrapWith(keks: readonly KeyEncryptionKey[], wraps: readonly KeyWrap[]): Buffer | null {
  for (const kek of keks) {
    const wrap = wraps.find(({ kekId }) => kekId === kek.id)
    const secret = wrap ? unseal(kek.key, wrap.wrapped, wrap.kid) : null
    if (secret !== null) return secret
  }
  return null
}

const wrapWith = (keks: readonly KeyEncryptionKey[], kid: string, secret: Buffer): KeyWrap[] =>
  keks.map((kek) => ({ kid, kekId: kek.id, wrapped: seal(kek.key, secret, kid) }))

async function createMissing(tx: Repository, stored: readonly StoredDataKey[], keks: readonly KeyEncryptionKey[]) {
  const keys: StoredDataKey[] = []
  const secrets = new Map<string, Buffer>()
  for (const purpose of dataKeyPurposes) {
    if (stored.some((key) => key.purpose === purpose)) continue
    const kid = randomBytes(9).toString('base64url')
    const secret = randomBytes(32)
    await tx.keys.insertDataKey({ kid, purpose })
    await tx.keys.insertWraps(wrapWith(keks, kid, secret))
    keys.push({ kid, purpose, createdAt: new Date(0) })
    secrets.set(kid, secret)
  }
  return { keys, secrets }
}

async function rewrap(tx: Repository, wraps: readonly KeyWrap[], opened: ReadonlyMap<string, Buffer>, keks: readonly KeyEncryptionKey[]) {
  const missing = [...opened].flatMap(([kid, secret]) =>
    keks.filter((kek) => !wraps.some((wrap) => wrap.kid === kid && wrap.kekId === kek.id)).flatMap((kek) => wrapWith([kek], kid, secret)))
  if (missing.length > 0) await tx.keys.insertWraps(missing)
  const [current, previous] = keks
  if (current && !previous) await tx.keys.deleteSupersededWraps(current.id)
}

function createKeyring(rows: readonly StoredDataKey[], secrets: ReadonlyMap<string, Buffer>, keks: readonly KeyEncryptionKey[]): Keyring {
  const newestFirst = [...rows].sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime())

  function find(purpose: DataKeyPurpose, kid: string): DataKey | null {
    const row = newestFirst.find((key) => key.purpose === purpose && key.kid === kid)
    const secret = row && secrets.get(row.kid)
    return secret ? { kid, secret } : null
  }

  function current(purpose: DataKeyPurpose): DataKey {
    const key = find(purpose, newestFirst.find((row) => row.purpose === purpose)?.kid ?? '')
    if (key === null) throw new KeyringError(`there is no data key for ${purpose}`)
    return key
  }

  return {
    current,
    find,
    seal(purpose, plaintext, context) {
      const key = current(purpose)
      const kid = Buffer.from(key.kid)
      return Buffer.concat([Buffer.from([kid.length]), kid, seal(key.secret, plaintext, context)])
    },
    unseal(purpose, box, context) {
      const end = 1 + (box[0] ?? 0)
      const key = find(purpose, box.subarray(1, end).toString())
      return key && unseal(key.secret, box.subarray(end), context)
    },
    hmac: (purpose, text) => createHmac('sha256', current(purpose).secret).update(text).digest(),
    wrap: (kid, secret) => wrapWith(keks, kid, secret),
    unwrap: (wraps) => unwrapWith(keks, wraps),
  }
}

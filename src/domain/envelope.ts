import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** Derived from a master secret; wraps every other key. */
export interface KeyEncryptionKey {
  /** Tells which master secret made a wrap, and nothing about it. */
  readonly id: string
  readonly key: Buffer
}

/** HKDF-SHA-256 (RFC 5869). */
export function deriveKeyEncryptionKey(masterSecret: string): KeyEncryptionKey {
  const key = Buffer.from(hkdfSync('sha256', masterSecret, '', 'tessera key-encryption key 1', 32))
  const id = createHmac('sha256', key).update('id').digest('hex').slice(0, 16)
  return { id, key }
}

const nonceBytes = 12
const tagBytes = 16

/**
 * AES-256-GCM: nonce, ciphertext, tag.
 * @param context what the box is for (a kid, a user id): another context does not open it
 */
export function seal(key: Buffer, plaintext: Buffer, context: string): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** @returns null when the key or the context is another one, or the box was changed */
export function unseal(key: Buffer, box: Buffer, context: string): Buffer | null {
  if (box.length < nonceBytes + tagBytes) return null
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(context)).setAuthTag(box.subarray(-tagBytes))
  try {
    return Buffer.concat([decipher.update(box.subarray(nonceBytes, -tagBytes)), decipher.final()])
  } catch {
    return null
  }
}

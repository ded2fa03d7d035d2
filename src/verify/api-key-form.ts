import { createHash } from 'node:crypto'

export const apiKeyPrefix = 'sk_live_'

const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const checksumLetters = 6
const shape = /^sk_live_[0-9A-Za-z]{38}$/

function checksum(body: string): string {
  let number = createHash('sha256').update(body).digest().readUIntBE(0, 6)
  let text = ''
  for (let i = 0; i < checksumLetters; i += 1) {
    text += letters.charAt(number % letters.length)
    number = Math.floor(number / letters.length)
  }
  return text
}

/** Whether a key ends with its checksum: what is mistyped or made up without thought is refused here, and asks nobody. */
export const isWellFormedKey = (key: string): boolean => shape.test(key) && checksum(key.slice(0, -checksumLetters)) === key.slice(-checksumLetters)

/**
 * Whether a token is written the one way that its bytes have: the last letter of a part may have bits that count for nothing,
 * and lenient decoders take padding and foreign letters. A copy in another spelling is not what tessera issued.
 */
export function isCanonical(token: string): boolean {
  const parts = token.split('.')
  return parts.length === 3 && parts.every((part) => part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part)
}

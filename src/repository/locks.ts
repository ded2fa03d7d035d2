/**
 * Advisory locks, as the two numbers that Postgres wants: ours, and what for. They are held to the end of a transaction.
 */
const ours = 0x74657373

export const locks = {
  /** Drawing the number of a revocation. */
  revocations: `${ours}, 1`,
  /** Creating and re-wrapping keys. */
  keys: `${ours}, 2`,
  /** Sweeping. */
  sweep: `${ours}, 3`,
  /** Sealing the audit trail. */
  seal: `${ours}, 4`,
  /** Taking from somebody what makes an administrator. */
  administrators: `${ours}, 5`,
} as const

import { foldName } from './name-folding.js'
import type { Repository } from './ports.js'

const atOnce = 100

/** Folds names that were stored before names were folded, or by a node of the previous version. */
export async function foldStoredNames({ users }: Pick<Repository, 'users'>): Promise<void> {
  for (;;) {
    const unfolded = await users.listUnfolded(atOnce)
    for (const { id, username, email } of unfolded) {
      await users.noteFolded(id, { username: username && foldName(username), email: email && foldName(email) })
    }
    if (unfolded.length < atOnce) return
  }
}

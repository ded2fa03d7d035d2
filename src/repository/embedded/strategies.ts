import { readFileSync } from 'node:fs'
import { chown, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import type { Owner } from './data-folder.js'

/**
 * A way to run PostgreSQL's programs, which refuse to run as root, and of which `initdb` refuses a user
 * that the system has no name for.
 */
export interface Strategy {
  readonly name: string
  /** Who owns the server's files, as this process sees it. */
  readonly owner: Owner
  /** What to spawn so that `program` runs in the same process, under an acceptable user. */
  command(program: string, args: readonly string[]): Command
}

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly uid?: number
  readonly gid?: number
}

/** The ways worth trying, the one that changes least first. */
export async function strategiesFor(dataDir: string): Promise<Strategy[]> {
  const self: Owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const nobody = unprivilegedUser()
  if (self.uid !== 0) return hasName(self) ? [asSelf(self)] : [inUserNamespace(self, nobody), asSelf(self)]

  const { uid, gid } = await stat(dataDir)
  const asOwner = uid === 0 ? [] : [asOtherUser({ uid, gid })]
  return [...asOwner, inUserNamespace(self, nobody), withCapabilities(nobody), asOtherUser(nobody)]
}

const asSelf = (self: Owner): Strategy => ({
  name: 'as this user',
  owner: self,
  command: (program, args) => ({ file: program, args }),
})

/** Inside, this user has another number; outside nothing changes, so root's own folders stay open to it. */
export const inUserNamespace = (self: Owner, inside: Owner): Strategy => ({
  name: 'in a user namespace',
  owner: self,
  command: (program, args) => ({
    file: 'unshare',
    args: ['--user', `--map-user=${inside.uid}`, `--map-group=${inside.gid}`, '--', program, ...args],
  }),
})

/** Another user, who keeps the one capability that it takes to cross folders that only root may enter. */
export const withCapabilities = (owner: Owner): Strategy => ({
  name: 'as another user who may cross closed folders',
  owner,
  command: (program, args) => ({
    file: 'setpriv',
    args: [
      ...[`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'],
      ...['--inh-caps=-all,+dac_override', '--ambient-caps=+dac_override'],
      '--securebits=+no_setuid_fixup', // access(2) goes by the real user, and forgets the capability otherwise
      ...['--', program],
      ...args,
    ],
  }),
})

export const asOtherUser = (owner: Owner): Strategy => ({
  name: `as user ${owner.uid}`,
  owner,
  command: (program, args) => ({ file: program, args, ...owner }),
})

/** A user with a name and no rights: `nobody`, or the first that is not root. */
export function unprivilegedUser(): Owner {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name, , uid, gid]) => name !== undefined && !name.startsWith('#') && Number(uid) && Number(gid))
    // >>> 0: macOS writes -2 for what the system calls 4294967294.
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }))
  const { uid, gid } = users.find(({ name }) => name === 'nobody') ?? users[0] ?? { uid: 65534, gid: 65534 }
  return { uid, gid }
}

function hasName({ uid }: Owner): boolean {
  try {
    return userInfo().uid === uid
  } catch {
    return false
  }
}

/** Gives a file to the user that the server runs as; nobody but root can, or has to. */
export async function ownBy({ owner }: Strategy, file: string): Promise<void> {
  if (process.getuid?.() === 0) await chown(file, owner.uid, owner.gid)
}

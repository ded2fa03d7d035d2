import { logIn, newApiKey, password, type Answer, type Call } from './account.js'
import type { TestApp } from './app.js'

/** Nobody's. */
export const nobody = '01890000-0000-7000-8000-000000000000'

/** Every call of the admin endpoints, with a body that is good in form. */
export const adminCalls: readonly Call[] = [
  { path: '/admin/users' },
  { method: 'POST', path: '/admin/users', body: { username: 'somebody.new' } },
  { path: `/admin/users/${nobody}` },
  { method: 'PATCH', path: `/admin/users/${nobody}`, body: { status: 'active' } },
  { method: 'DELETE', path: `/admin/users/${nobody}` },
  { method: 'POST', path: `/admin/users/${nobody}/password`, body: { password: 'a good long password' } },
  { method: 'POST', path: `/admin/users/${nobody}/pin`, body: { pin: '4711' } },
  { method: 'POST', path: `/admin/users/${nobody}/reset-totp` },
  { method: 'POST', path: `/admin/users/${nobody}/unlock` },
  { method: 'POST', path: `/admin/users/${nobody}/revoke` },
  { path: '/admin/sessions' },
  { method: 'DELETE', path: `/admin/sessions/${nobody}` },
  { path: '/admin/audit' },
  { path: '/admin/keys' },
  { method: 'POST', path: '/admin/keys/rotate' },
  { method: 'POST', path: '/admin/keys/nothing/revoke' },
]

export const nameOf = ({ method = 'GET', path }: Call): string => `${method} ${path.replace(nobody, '{id}').replace('nothing', '{kid}')}`

export interface Admin {
  readonly id: string
  readonly username: string
  readonly token: string
  /** An API key with the scope `admin`. */
  readonly key: string
}

let admins = 0

export async function newAdmin(node: TestApp): Promise<Admin> {
  admins += 1
  const username = `admin.${admins}`
  const { id } = await node.createUser({ username, email: `${username}@example.com`, password, role: 'admin' })
  const { accessToken: token } = await logIn(node, username)
  return { id, username, token, key: await newApiKey(node, id, ['admin']) }
}

/** `data` of an answer. */
export function dataOf({ body }: Answer): unknown {
  return (body as { data: unknown }).data
}

export const problem = (status: number, detail: RegExp | string) => ({ status, body: { type: 'about:blank', status, detail } })

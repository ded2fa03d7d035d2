import type { Role, User, UserStatus } from '../domain/model.js'
import { effectiveEpoch } from './epoch.js'

/** Of `users u`, under names that leave room for the columns of a session or a key beside them. */
export const userColumns = `
  u.id AS user_id, u.username, u.email, u.email_verified, u.role, u.status,
  ${effectiveEpoch('u.epoch')} AS user_epoch, u.created_at AS user_created_at`

export interface UserRow {
  user_id: string
  username: string | null
  email: string | null
  email_verified: boolean
  role: Role
  status: UserStatus
  user_epoch: number
  user_created_at: Date
}

export const toUser = (row: UserRow): User => ({
  id: row.user_id,
  username: row.username,
  email: row.email,
  emailVerified: row.email_verified,
  role: row.role,
  status: row.status,
  epoch: row.user_epoch,
  createdAt: row.user_created_at,
})

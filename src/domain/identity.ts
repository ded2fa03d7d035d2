import * as accounts from './accounts.js'
import { createApiKey, deleteApiKey, listApiKeys, requireScopesOf, rollApiKey, type ApiKeyRequest, type ApiKeyVerifier, type CreatedApiKey } from './api-keys.js'
import { authenticate } from './authenticate.js'
import type { PresentedCredential } from './credential.js'
import type { Grant } from './grants.js'
import { login, type LoginAttempt } from './login.js'
import { logout, logoutByRefreshToken, type TokensBeside } from './logout.js'
import type { ApiKey, DialectName, Origin, Principal, Session, SessionPrincipal } from './model.js'
import { refresh, type RefreshAttempt, type RefreshedGrant } from './refresh.js'
import type { Service } from './service.js'

/** What the routes may ask for. Each member is documented where it is done. */
export interface Identity {
  login(attempt: LoginAttempt): Promise<Grant>
  refresh(attempt: RefreshAttempt): Promise<RefreshedGrant>
  logout(principal: SessionPrincipal, origin: Origin, beside?: TokensBeside): Promise<void>
  logoutByRefreshToken(dialect: DialectName, token: string, origin: Origin): Promise<void>
  authenticate(presented: PresentedCredential): Promise<Principal>
  readonly account: AccountOperations
  readonly apiKeys: ApiKeyOperations
}

export interface AccountOperations {
  me(userId: string): Promise<accounts.Me>
  changePassword(principal: SessionPrincipal, change: { current: string; new: string } & accounts.Ending, origin: Origin): Promise<accounts.KeysAfter>
  setPin(principal: SessionPrincipal, change: { password: string; pin: string } & accounts.Ending, origin: Origin): Promise<accounts.KeysAfter>
  generateTotp(principal: SessionPrincipal, password: string, origin: Origin): Promise<accounts.GeneratedTotp>
  enableTotp(principal: SessionPrincipal, given: { secret: string; otp: string }, origin: Origin): Promise<string[]>
  disableTotp(principal: SessionPrincipal, otp: string, origin: Origin): Promise<void>
  listSessions(userId: string): Promise<Session[]>
  endSession(principal: SessionPrincipal, sessionId: string, origin: Origin): Promise<void>
  endOtherSessions(principal: SessionPrincipal, origin: Origin, ending?: accounts.Ending): Promise<accounts.KeysAfter>
}

export interface ApiKeyOperations {
  create(principal: SessionPrincipal, request: ApiKeyRequest, origin: Origin): Promise<CreatedApiKey>
  list(userId: string): Promise<ApiKey[]>
  delete(principal: SessionPrincipal, keyId: string, origin: Origin): Promise<void>
  roll(principal: SessionPrincipal, keyId: string, overlapSeconds: number, origin: Origin): Promise<CreatedApiKey>
}

/** The name that authenticator apps show beside the account. */
const totpIssuer = 'tessera'

export function createIdentity(service: Service, apiKeys: ApiKeyVerifier): Identity {
  const once = (): Service => ({ ...service, repository: service.repository.forOneRequest() })
  return {
    login: (attempt) => login(once(), attempt),
    refresh: (attempt) => refresh(once(), attempt),
    logout: (principal, origin, beside) => logout(once(), principal, origin, beside),
    logoutByRefreshToken: (dialect, token, origin) => logoutByRefreshToken(once(), dialect, token, origin),
    authenticate: (presented) => authenticate(service, apiKeys, presented),
    account: {
      me: (userId) => accounts.me(once(), userId),
      changePassword: (principal, change, origin) => accounts.changePassword(once(), principal, change, origin),
      setPin: (principal, change, origin) => accounts.setPin(once(), principal, change, origin),
      generateTotp: (principal, password, origin) => accounts.generateTotp(once(), principal, password, origin, totpIssuer),
      enableTotp: (principal, given, origin) => accounts.enableTotp(once(), principal, given, origin),
      disableTotp: (principal, otp, origin) => accounts.disableTotp(once(), principal, otp, origin),
      listSessions: (userId) => accounts.listSessions(once(), userId),
      endSession: (principal, sessionId, origin) => accounts.endOwnSession(once(), principal, sessionId, origin),
      endOtherSessions: (principal, origin, ending) => accounts.endOtherOwnSessions(once(), principal, origin, ending),
    },
    apiKeys: {
      create: async (principal, request, origin) => {
        requireScopesOf(principal, request.scopes)
        return createApiKey(once(), principal.userId, request, { origin, session: principal })
      },
      list: (userId) => listApiKeys(once(), userId),
      delete: (principal, keyId, origin) => deleteApiKey(once(), keyId, principal.userId, { origin, authority: { holder: principal, scope: null } }),
      roll: (principal, keyId, overlapSeconds, origin) => rollApiKey(once(), keyId, principal, overlapSeconds, origin),
    },
  }
}

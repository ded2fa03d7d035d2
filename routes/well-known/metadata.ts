import { assertionAlgorithms } from '../../plugins/client-assertion.js'
import type { Config } from '../../src/config/index.js'
import { scopes } from '../../src/domain/scopes.js'
import type { SigningKeys } from '../../src/domain/signing-keys.js'
import { grantTypes } from '../oauth/token.js'

export interface MetadataSource {
  readonly config: Pick<Config, 'publicUrl' | 'dialects'>
  readonly signingKeys: Pick<SigningKeys, 'published'>
}

/** One member of the metadata. An endpoint that comes to be adds its own. */
type Member = readonly [name: string, value: (source: MetadataSource) => unknown]

const at =
  (path: string) =>
  ({ config }: MetadataSource): string =>
    config.publicUrl.href + path

const algorithms = ({ signingKeys }: MetadataSource): string[] => [...new Set(signingKeys.published().map(({ alg }) => alg))]

const authentication = (endpoint: string, methods: readonly string[]): readonly Member[] => [
  [`${endpoint}_auth_methods_supported`, () => methods],
  [`${endpoint}_auth_signing_alg_values_supported`, () => assertionAlgorithms],
]

const clientMethods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']

/** RFC 8414 §2. */
const authorizationServer: readonly Member[] = [
  ['issuer', at('')],
  ['jwks_uri', at('/.well-known/jwks.json')],
  ['scopes_supported', () => Object.keys(scopes)],
  ['grant_types_supported', () => grantTypes],
  ['token_endpoint', at('/oauth/token')],
  // A public client refreshes without a secret.
  ...authentication('token_endpoint', [...clientMethods, 'none']),
  ['introspection_endpoint', at('/oauth/introspect')],
  ...authentication('introspection_endpoint', clientMethods),
  ['revocation_endpoint', at('/oauth/revoke')],
  ...authentication('revocation_endpoint', clientMethods),
  // Required, and never empty (§2, §3.2). There is no authorization endpoint: `none` is the registered name for an answer without a token.
  ['response_types_supported', () => ['none']],
  ['service_documentation', at('/docs')],
]

/** What a verifier of the dialect's id tokens asks for, in the words of OpenID Connect Discovery 1.0 §3. */
const idTokens: readonly Member[] = [
  ['subject_types_supported', () => ['public']],
  ['id_token_signing_alg_values_supported', algorithms],
  ['claims_supported', () => ['iss', 'sub', 'aud', 'auth_time', 'iat', 'exp', 'jti', 'email', 'email_verified', 'token_use', 'cognito:username']],
]

const documentOf =
  (members: readonly Member[]) =>
  (source: MetadataSource): { issuer: string } => ({
    issuer: source.config.publicUrl.href,
    ...Object.fromEntries(members.map(([name, value]) => [name, value(source)])),
  })

export const authorizationServerMetadata = documentOf(authorizationServer)

const withIdTokens = documentOf([...authorizationServer, ...idTokens])

/**
 * The same authorization server, under the name that many clients look for first (RFC 8414 §5). It is no OpenID provider: of id
 * tokens it says how to verify those of the dialect `tokenset`, where that is served.
 */
export const metadataForOpenidClients = (source: MetadataSource): { issuer: string } =>
  source.config.dialects.includes('tokenset') ? withIdTokens(source) : authorizationServerMetadata(source)

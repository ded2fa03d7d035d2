/** Whom tokens of ours are for already. */
interface OwnAudiences {
  readonly publicUrl: { readonly href: string }
  readonly audience: string
  readonly tokensetClientId: string
}

/** As a lenient reader compares: a URL by its normal form, without a slash at its end. */
function comparable(audience: string): string {
  const url = /^https?:/i.test(audience) && URL.canParse(audience) ? new URL(audience).href : audience
  return url.replace(/\/+$/, '').toLowerCase()
}

/**
 * An identity token for one of these could be taken for an access token or for an id token: many verifiers look at `iss` and `aud`,
 * and not at `typ`.
 * @returns the setting that has this audience, or null
 */
export function ownerOfAudience(audience: string, own: OwnAudiences): 'PUBLIC_URL' | 'AUDIENCE' | 'TOKENSET_CLIENT_ID' | null {
  const is = (other: string): boolean => comparable(other) === comparable(audience)
  if (is(own.publicUrl.href)) return 'PUBLIC_URL'
  if (is(own.audience)) return 'AUDIENCE'
  return is(own.tokensetClientId) ? 'TOKENSET_CLIENT_ID' : null
}

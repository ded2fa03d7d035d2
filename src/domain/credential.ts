/** What a request presents to say who makes it. */
export type Credential =
  | { readonly kind: 'access_token'; readonly token: string; readonly via: 'header' | 'query' | 'cookie' }
  | { readonly kind: 'api_key'; readonly key: string }

/** What extraction finds. `unusable`: something explicit stands there that can be no credential (a scheme other than Bearer). */
export type PresentedCredential = Credential | { readonly kind: 'none' } | { readonly kind: 'unusable' }

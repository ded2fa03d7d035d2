type Security = readonly Readonly<Record<string, readonly string[]>>[]

/** Which credentials a call takes, for OpenAPI: any one of them. An API key as Bearer is refused by name. */
export const session: Security = [{ bearer: [] }, { cookie: [] }]
export const sessionToRead: Security = [...session, { query: [] }]
export const anybodyToRead: Security = [...sessionToRead, { apiKey: [] }]

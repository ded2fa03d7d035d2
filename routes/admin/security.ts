/** What an operator may come with, for OpenAPI: any one of them. */
export const security: readonly Readonly<Record<string, readonly string[]>>[] = [{ bearer: [] }, { cookie: [] }, { apiKey: [] }]

export const tags = ['admin']

export const defaultLimit = 50

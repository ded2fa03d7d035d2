/**
 * The other paths that commands of the official client ask for. None is served: but it takes whatever is not plain JSON for
 * success, so that an error has to be told there in its own words.
 */
const unserved = [
  'access',
  'activity',
  'assets',
  'collections',
  'comments',
  'dashboards',
  'deployments',
  'extensions',
  'fields',
  'files',
  'flows',
  'folders',
  'graphql',
  'items',
  'notifications',
  'operations',
  'panels',
  'permissions',
  'policies',
  'presets',
  'relations',
  'revisions',
  'roles',
  'schema',
  'server',
  'settings',
  'shares',
  'translations',
  'utils',
  'versions',
  'webhooks',
]

export const unservedPrefixes: readonly string[] = unserved.map((name) => `/${name}/`)

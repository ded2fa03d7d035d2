import importX, { createNodeResolver } from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

/** Who may import whom: the table of docs/architecture.md. Each zone lists what stays closed to `target`. */
const zones = [
  { target: './schemas', from: ['./src', './plugins', './routes'] },
  { target: './src/domain', from: ['./src', './plugins', './routes', './schemas'], except: ['./domain'] },
  { target: './src/repository', from: ['./plugins', './routes', './schemas', './src/cli', './src/app.ts', './src/main.ts', './src/start.ts'] },
  { target: './plugins', from: ['./routes', './src/cli', './src/app.ts', './src/main.ts', './src/start.ts'] },
  { target: './routes', from: ['./src/repository', './src/cli', './src/app.ts', './src/main.ts', './src/start.ts'] },
  ...['pin', 'directus', 'bearer', 'tokenset'].map((dialect) => ({
    target: `./routes/${dialect}`,
    from: './routes',
    except: [`./${dialect}`, './dialect.ts'],
    message: 'A dialect is a closed room: it knows no other dialect.',
  })),
  { target: './src/verify', from: ['./src', './plugins', './routes', './schemas'], except: ['./verify'] },
]

/** Packages that a folder must not know. */
const closedPackages = [
  { files: ['src/domain/**'], names: ['fastify', '@fastify/*', 'fastify-plugin', 'pg', '@sinclair/typebox'] },
  { files: ['src/repository/**'], names: ['fastify', '@fastify/*', 'fastify-plugin', '@sinclair/typebox'] },
  { files: ['routes/**', 'plugins/**'], names: ['pg'] },
  { files: ['schemas/**'], names: ['fastify', '@fastify/*', 'fastify-plugin', 'pg'] },
  { files: ['src/verify/**'], names: ['pg', '@fastify/*', 'argon2'] },
]

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.data/', '.tap/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensionAlias: { '.js': ['.ts', '.js'] } })] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones, basePath: import.meta.dirname }],
      'import-x/no-cycle': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'no-console': 'error',
    },
  },
  ...closedPackages.map(({ files, names }) => ({
    files,
    rules: { 'no-restricted-imports': ['error', { patterns: names.map((group) => ({ group: [group] })) }] },
  })),
  {
    files: ['**/*.ts'],
    ignores: ['src/config/**', 'src/main.ts', 'src/cli/**', 'test/**', 'bench/**'],
    rules: { 'no-restricted-properties': ['error', { object: 'process', property: 'env', message: 'src/config.ts reads the environment.' }] },
  },
  {
    files: ['src/main.ts', 'src/cli/**', 'test/**', 'bench/**'],
    rules: { 'no-console': 'off' },
  },
)

// `npm run docs`: writes docs/configuration.md from the table in src/config/settings.ts.
// With --check it writes nothing, and fails when the page is not what it would write.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { compile, packageRoot } from './compile.mjs'

const page = path.join(packageRoot, 'docs', 'configuration.md')
const checksOnly = process.argv.includes('--check')

if (!checksOnly) await compile()
const { families, settings } = await import('../dist/src/config/settings.js')

/** No setting takes it, so each says what it would have taken. */
const refusedByAll = '\0'

/** @param {import('../src/config/kinds.js').Setting<unknown>} setting */
function accepted(setting) {
  const parsed = setting.parse(refusedByAll)
  return 'expected' in parsed ? parsed.expected : 'text'
}

/** @param {string} text */
const cell = (text) => text.replaceAll('|', '\\|')

/** @param {[string, import('../src/config/kinds.js').Setting<unknown>]} entry */
function row([name, setting]) {
  const cells = [`\`${name}\`${setting.secret ? ' †' : ''}`, setting.description, accepted(setting), setting.shownDefault ?? 'none']
  return `| ${cells.map(cell).join(' | ')} |`
}

const text = `<!-- Written by \`npm run docs\` from src/config/settings.ts: change it there. -->
# Configuration

Everything is set by environment variables, read once at the start. An empty value counts as none. Settings marked † are
secrets: each may be given as \`NAME_FILE\` instead, the path of a file that holds it (a line break at its end does not count),
and none of them is ever repeated in a message.

A malformed value stops the start, with one line that names the variable and says what was expected. So do control characters and
blanks around a value. A file is read without a byte order mark, in UTF-8 or UTF-16.

So does a name that is one or two letters away from a setting (\`DATABSE_URL\`, \`CORS_ORIGIN\`), and one that begins like ours and is
none of these: ${families.map((family) => `\`${family}…\``).join(', ')}, \`«DIALECT»_…TTL\`. What Kubernetes writes for a service of such
a name is left alone (\`DIRECTUS_SERVICE_HOST\`, \`…_SERVICE_PORT…\`, \`…_PORT\`, \`…_PORT_…\`).

| name | meaning | accepted | default |
| --- | --- | --- | --- |
${Object.entries(settings).map(row).join('\n')}

What goes together, and is refused otherwise:

- \`DATABASE_URL\` needs \`MASTER_SECRET\`; \`DATABASE_LISTEN_URL\`, \`MIGRATION_DATABASE_URL\` and \`DATABASE_PASSWORD\` need \`DATABASE_URL\`.
- \`MASTER_SECRET_PREVIOUS\` needs \`MASTER_SECRET\`.
- \`HOST\` as a wildcard (\`0.0.0.0\`, \`::\`) needs \`PUBLIC_URL\`.
- \`COOKIE_SAMESITE=none\` needs an https \`PUBLIC_URL\`.
- \`«DIALECT»_ACCESS_TTL\` is at most \`«DIALECT»_REFRESH_TTL\`.
- \`SIGNING_KEY_MAX_AGE\` is shorter than \`SIGNING_KEY_ROTATION_DAYS\`.
- \`ARGON2_MEMORY_KIB\` is at least 8 times \`ARGON2_PARALLELISM\`.
`

if (checksOnly) {
  if (readFileSync(page, 'utf8') !== text) {
    console.error('docs/configuration.md is not what src/config/settings.ts says: run `npm run docs`')
    process.exitCode = 1
  }
} else {
  mkdirSync(path.dirname(page), { recursive: true })
  writeFileSync(page, text)
}

// `node make-secrets.mjs FILE…`: writes a random secret to each file that does not exist, and touches no other.
// docker-compose.yml runs it once before everything else, so that no secret has to be made by hand.
import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, unlinkSync, writeFileSync } from 'node:fs'

for (const file of process.argv.slice(2)) {
  if (existsSync(file)) continue
  makeSecret(file)
  console.log(`made ${file}`)
}

/**
 * The file appears whole or not at all: half a secret would be taken for a whole one at the next start.
 * @param {string} file
 */
function makeSecret(file) {
  const draft = `${file}.${process.pid}`
  // Readable as a Docker secret is: whoever mounts the volume may read it, and only those who need it do.
  writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o444, flush: true })
  linkSync(draft, file)
  unlinkSync(draft)
}

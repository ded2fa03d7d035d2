// `npm run build`: what an image needs, and the types of `@tessera-id/verify` for those who import it.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import path from 'node:path'
import { compile, packageRoot } from './compile.mjs'

await compile()
const typescript = path.dirname(createRequire(import.meta.url).resolve('typescript/package.json'))
execFileSync(process.execPath, [path.join(typescript, 'bin', 'tsc'), '--project', 'tsconfig.verify.json'], { cwd: packageRoot, stdio: 'inherit' })

// `npm run -s tessera -- …`: compiles what changed, then becomes the command line.
import { compile } from './compile.mjs'

await compile()
await import('../dist/src/cli/main.js')

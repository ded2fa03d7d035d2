// `npm start`: compiles what changed, then becomes the service.
import { compile } from './compile.mjs'

await compile()
await import('../dist/src/main.js')

// `npm start`: compiles what changed, then becomes the service. MALLOC_MMAP_THRESHOLD_ in the npm script makes glibc give the
// memory of each hash (19 MiB) back; left alone, it keeps that of every thread: 60 MB of an idle process.
import { compile } from './compile.mjs'

// SIGUSR1 makes Node open a port for a debugger, which reads every secret.
process.on('SIGUSR1', () => {})
await compile()
await import('../dist/src/main.js')

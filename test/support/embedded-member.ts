// A process of its own that uses the embedded server of the folder it is given, until it is told to end.
import { join } from './embedded.js'

const [dataDir = ''] = process.argv.slice(2)
try {
  const server = await join(dataDir)
  const { connectionString, adopted, firstStart } = server
  console.log(JSON.stringify({ connectionString, adopted, firstStart }))
  process.once('SIGTERM', () => void server.leave())
} catch (error) {
  console.log(JSON.stringify({ error: String(error) }))
  process.exitCode = 1
}

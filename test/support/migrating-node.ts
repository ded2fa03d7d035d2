// A process of its own that migrates a database from a folder, and says what it applied.
import { migrate } from '../../src/repository/migrate.js'

const [connectionString = '', directory = ''] = process.argv.slice(2)
console.log(JSON.stringify(await migrate(connectionString, { directory })))

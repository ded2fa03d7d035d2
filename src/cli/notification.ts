import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import type { DatabaseAccess } from '../database.js'
import { Client } from '../repository/client.js'
import { CommandError } from './errors.js'

const patienceMs = 2000

/**
 * Listens where the service would listen, and has somebody else speak.
 * @throws CommandError when nothing is heard: a transaction pooler takes LISTEN, and passes nothing on
 */
export async function notificationDelayMs({ url, listenUrl }: Pick<DatabaseAccess, 'url' | 'listenUrl'>): Promise<number> {
  const channel = `tessera_doctor_${randomBytes(8).toString('hex')}`
  const [listener, speaker] = [await connect(listenUrl), await connect(url)]
  try {
    await listener.query(`LISTEN ${channel}`)
    const heard = nextNotification(listener)
    const spokeAt = performance.now()
    await speaker.query(`NOTIFY ${channel}`)
    await heard
    return performance.now() - spokeAt
  } finally {
    await Promise.all([listener.end(), speaker.end()])
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new Client({ connectionString, application_name: 'tessera doctor', connectionTimeoutMillis: patienceMs, query_timeout: patienceMs })
  client.on('error', () => undefined) // what is under way fails, and says so
  await client.connect()
  return client
}

function nextNotification(listener: pg.Client): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new CommandError('notifications do not arrive: give a direct connection, past any transaction pooler, as DATABASE_LISTEN_URL'))
    }, patienceMs)
    listener.once('notification', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

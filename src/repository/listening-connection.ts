import pg from 'pg'
import { clientOptions, runStatement, type Queryable } from './pool.js'

/** A session that listens on one channel and can be asked as well. Every answer has a limit, so silence is noticed. */
export interface ListeningConnection extends Queryable {
  /** Connects and listens. */
  open(): Promise<void>
  /**
   * Resolves after `ms`, or sooner when there was a notification since the last call.
   * @throws when the connection was lost
   */
  wait(ms: number): Promise<void>
  /** Ends the present or the next `wait`. */
  wake(): void
  close(): Promise<void>
}

export interface ListeningOptions {
  connectionString: string
  applicationName?: string | undefined
  channel: string
  answerTimeoutMs: number
  onNotification: (payload: string) => void
}

export function createListeningConnection(options: ListeningOptions): ListeningConnection {
  const { channel, answerTimeoutMs, onNotification } = options
  const client = new pg.Client(
    clientOptions(options, {
      acquireMs: answerTimeoutMs,
      lockMs: answerTimeoutMs,
      statementMs: answerTimeoutMs,
      answerMs: answerTimeoutMs,
    }),
  )
  let lost: Error | null = null
  let isAwake = false
  let resume: (() => void) | null = null

  function wake(): void {
    isAwake = true
    resume?.()
  }
  function lose(error: Error): void {
    lost ??= error
    wake()
  }
  client.on('error', lose)
  client.on('end', () => {
    lose(new Error('the listening connection ended'))
  })
  client.on('notification', ({ payload }) => {
    onNotification(payload ?? '')
    wake()
  })

  return {
    async open() {
      await client.connect()
      await client.query(`LISTEN ${channel}`)
    },
    query: (name, text, values) => runStatement(client, name, text, values, answerTimeoutMs),
    async wait(ms) {
      if (!isAwake) await sleepUntilWoken(ms, (wakeUp) => (resume = wakeUp))
      isAwake = false
      resume = null
      if (lost) throw lost
    },
    wake,
    async close() {
      // A peer that is gone never confirms the farewell.
      const giveUp = setTimeout(() => client.connection.stream.destroy(), answerTimeoutMs)
      await client.end()
      clearTimeout(giveUp)
    },
  }
}

function sleepUntilWoken(ms: number, onSleep: (wakeUp: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    onSleep(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

import { Client } from './client.js'
import { clientOptions, runStatement, type Queryable } from './pool.js'

/** A session that listens and can be asked as well. Every answer has a limit, so silence is noticed. */
export interface ListeningConnection extends Queryable {
  /** Connects, and listens on the channel of this database. */
  open(): Promise<void>
  /**
   * Resolves after `ms`, or sooner when there was a notification since the last call.
   * @param atLeastMs since the last call ended: a storm of notifications does not make a storm of questions
   * @throws when the connection was lost
   */
  wait(ms: number, atLeastMs: number): Promise<void>
  /** Ends the present `wait`, and every one after it. */
  wake(): void
  close(): Promise<void>
}

export interface ListeningOptions {
  connectionString: string
  applicationName?: string | undefined
  answerTimeoutMs: number
  onNotification: (payload: string) => void
}

export function createListeningConnection(options: ListeningOptions): ListeningConnection {
  const { answerTimeoutMs, onNotification } = options
  const client = new Client(
    clientOptions(options, {
      acquireMs: answerTimeoutMs,
      lockMs: answerTimeoutMs,
      statementMs: answerTimeoutMs,
      answerMs: answerTimeoutMs,
    }),
  )
  let lost: Error | null = null
  /** Since the last wait ended. */
  let isNotified = false
  let isOver = false
  let lastWaitEndedAt = -Infinity
  let sleep: Sleep | null = null

  function end(): void {
    isOver = true
    sleep?.end()
  }
  function lose(error: Error): void {
    lost ??= error
    end()
  }
  client.on('error', lose)
  client.on('end', () => {
    lose(new Error('the listening connection ended'))
  })
  client.on('notification', ({ payload }) => {
    onNotification(payload ?? '')
    isNotified = true
    if (sleep?.endsWithNews) sleep.end()
  })

  async function sleepFor(ms: number, endsWithNews: boolean): Promise<void> {
    if (ms <= 0 || isOver || (endsWithNews && isNotified)) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      sleep = { endsWithNews, end: () => { clearTimeout(timer); resolve() } }
    })
    sleep = null
  }

  return {
    async open() {
      await client.connect()
      const { rows: [channel] } = await runStatement<{ name: string }>(client, null, 'SELECT name FROM notification_channel', [], answerTimeoutMs)
      if (!channel) throw new Error('notification_channel has lost its row')
      await client.query(`LISTEN ${client.escapeIdentifier(channel.name)}`)
    },
    query: (name, text, values) => runStatement(client, name, text, values, answerTimeoutMs),
    async wait(ms, atLeastMs) {
      await sleepFor(ms, true)
      await sleepFor(lastWaitEndedAt + atLeastMs - performance.now(), false)
      lastWaitEndedAt = performance.now()
      isNotified = false
      if (lost) throw lost
    },
    wake: end,
    async close() {
      // A peer that is gone never confirms the farewell.
      const giveUp = setTimeout(() => client.connection.stream.destroy(), answerTimeoutMs)
      await client.end()
      clearTimeout(giveUp)
    },
  }
}

interface Sleep {
  readonly endsWithNews: boolean
  end(): void
}

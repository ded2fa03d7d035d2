import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** Resolves once something listens at this port of 127.0.0.1. @throws when nothing does for ten seconds */
export async function untilListening(port: number): Promise<void> {
  const giveUpAt = performance.now() + 10_000
  while (!(await isListening(port))) {
    if (performance.now() > giveUpAt) throw new Error(`nothing listens at port ${port}`)
    await pause(25)
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

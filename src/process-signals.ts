/** Ctrl-C, a service manager, a terminal that was closed, Ctrl-\\: each asks for the same orderly stop. */
const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const

/** The first of these signals that arrives. None ends the process by itself any more, and a second one does not cut the stop. */
export function listenForStop(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of stopSignals) process.on(signal, resolve)
  })
}

/** SIGUSR1 makes Node open a port for a debugger, which reads every secret. The operator's own `--inspect` is not touched. */
export function closeDebugger(): void {
  process.on('SIGUSR1', () => undefined)
}

/** A closed terminal or pipe fails each write. Nobody reads it: that is no reason to end, and least of all in a stop. */
export function survivePeersOfOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
}

import { closeDebugger, listenForStop, survivePeersOfOutput } from './process-signals.js'

// Before anything else is loaded: process 1 of a container does not even notice a signal that nobody handles.
closeDebugger()
survivePeersOfOutput()
const stopSignal = listenForStop()
const { reportOf, start } = await import('./start.js')
try {
  await start(process.env, stopSignal)
} catch (error) {
  console.error(reportOf(error))
  process.exit(1)
}

// What the container engine asks every few seconds: is this node ready? There is no curl in the image.
const host = process.env.HOST || '127.0.0.1'
const port = process.env.PORT || '9154'

try {
  const response = await fetch(`http://${reachable(host)}:${port}/health/ready`, { signal: AbortSignal.timeout(2500) })
  if (!response.ok) throw new Error(`status ${response.status}`)
} catch (error) {
  console.error(`not ready: ${error.cause?.code ?? error.message}`)
  process.exitCode = 1
}

/**
 * A wildcard is an address to listen on, not one to call.
 * @param {string} address
 */
function reachable(address) {
  const bare = address.replace(/^\[|\]$/g, '')
  if (bare === '0.0.0.0') return '127.0.0.1'
  if (bare === '::') return '[::1]'
  return bare.includes(':') ? `[${bare}]` : bare
}

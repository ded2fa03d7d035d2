import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CommandError } from './errors.js'

const longestLineBytes = 64 * 1024
const lineFeed = 0x0a

/**
 * The first line of stdin, without its end and without a byte order mark. At a terminal it is asked for, and not shown.
 * @throws CommandError
 */
export function readSecret(prompt: string): Promise<string> {
  return process.stdin.isTTY ? askFor(prompt) : firstLine(process.stdin)
}

async function askFor(prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => { done() } })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  process.stderr.write(prompt)
  try {
    // Ctrl-C is caught by the interface, and Ctrl-D closes it: both must end the command.
    const interrupted = new Promise<never>((_resolve, reject) => terminal.once('SIGINT', reject))
    return await Promise.race([terminal.question(''), interrupted])
  } catch {
    throw new CommandError('interrupted')
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

async function firstLine(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const end = chunk.indexOf(lineFeed)
    chunks.push(end === -1 ? chunk : chunk.subarray(0, end))
    bytes += chunk.length
    if (end !== -1) break
    if (bytes > longestLineBytes) throw new CommandError('the first line of stdin is too long for a password')
  }
  return utf8(Buffer.concat(chunks)).replace(/\r$/, '')
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CommandError('the password on stdin is not UTF-8')
  }
}

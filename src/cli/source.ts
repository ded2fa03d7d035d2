import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { decodeText } from '../config/plain-text.js'
import { CommandError } from './errors.js'

/** The whole text of a file. @param name `-` for stdin @throws CommandError */
export async function readSource(name: string): Promise<string> {
  const bytes = name === '-' ? await buffer(process.stdin) : await readFile(name).catch((error: unknown) => { throw unreadable(name, error) })
  try {
    return decodeText(bytes)
  } catch {
    throw new CommandError(`${name} is not UTF-8`)
  }
}

const unreadable = (name: string, error: unknown): CommandError =>
  new CommandError(`cannot read ${name} (${error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'})`)

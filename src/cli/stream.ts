import { pipeline } from 'node:stream/promises'
import type { Result } from './output.js'

/** What a command answers that has written its result to stdout already. */
export const streamed: Result = { value: null, text: '', isStreamed: true }

/**
 * Writes lines to stdout as they come; none is asked for before the reader has taken the one before.
 * @returns false when the reader went before the end (`| head`)
 */
export async function writeLines(lines: AsyncIterable<string>): Promise<boolean> {
  try {
    await pipeline(lines, process.stdout, { end: false })
    return true
  } catch (error) {
    if (!isReaderGone(error)) throw error
    return false
  }
}

const isReaderGone = (error: unknown): boolean => error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')

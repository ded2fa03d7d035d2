const utf16 = [
  { mark: [0xff, 0xfe], encoding: 'utf-16le' },
  { mark: [0xfe, 0xff], encoding: 'utf-16be' },
] as const

/**
 * The text that an editor or a shell meant to write: a byte order mark is no part of it, and one of UTF-16 (`>` in
 * PowerShell 5) is obeyed.
 * @throws TypeError for what is no text in the encoding that it claims, UTF-8 by default
 */
export function decodeText(bytes: Uint8Array): string {
  const encoding = utf16.find(({ mark }) => mark.every((byte, i) => bytes[i] === byte))?.encoding ?? 'utf-8'
  return new TextDecoder(encoding, { fatal: true }).decode(bytes)
}

/** Without the line break that editors and `echo` put at the end. */
export const withoutLastLineBreak = (text: string): string => text.replace(/\r?\n$/, '')

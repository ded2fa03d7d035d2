/** Stands for a credential in what is logged or told. */
const mark = '[redacted]'

/** A letter of ours, as it is or escaped as a URL has it. */
const letter = '(?:[A-Za-z0-9_-]|%[0-9a-f]{2})'

/** By their beginnings: API keys, and JWTs (access, id, refresh and identity tokens), whose header is JSON. */
const byBeginning = `sk(?:_|%5f)live(?:_|%5f)${letter}*|eyJ${letter}{8,}(?:(?:\\.|%2e)${letter}*)*`
/** By their length: client secrets (43 letters), links that are sent by mail (64). An id has 36, and 40 with its prefix. */
const byLength = `${letter}{43,}`
/** By what stands before them, in a path that was to be a query. */
const byName = '((?:token|secret|password|otp|pin|api[_-]?key)(?:=|%3d))[^&/;?#\\s"]+'

const credentials = new RegExp(`${byName}|${byBeginning}|${byLength}`, 'gi')
const tellingCredentials = new RegExp(byBeginning, 'i')

const withMark = (_found: string, name: unknown): string => (typeof name === 'string' ? name + mark : mark)

/** A text without what looks like one of our credentials, wherever it stands. */
export const redacted = (text: string): string => text.replace(credentials, withMark)

/** Whether a text has an API key or a JWT in it. */
export const holdsCredential = (text: string): boolean => tellingCredentials.test(text)

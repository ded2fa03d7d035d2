/** What pages of apps and extensions have for a host: `localhost`, an id, `.`; with a port where there is one. */
const appOrigin = /^[a-z][a-z0-9+.-]*:\/\/(?:[\w.~-]+|\[[0-9a-f:.]+\])(?::[1-9]\d{0,4})?$/i
/** Their pages have the origin `null`, or none that is their own. */
const withoutOrigin: ReadonlySet<string> = new Set(['about:', 'blob:', 'data:', 'file:', 'filesystem:', 'ftp:', 'javascript:', 'ws:', 'wss:'])
const ofTheWeb: ReadonlySet<string> = new Set(['http:', 'https:'])

export const originExpected =
  'exact origins as browsers send them, such as https://app.example.com or capacitor://localhost, separated by commas: no path, no slash at the end, no default port, no user, no *, no null'

/** Whether a text is an origin of one place, as browsers serialise it (RFC 6454 §6.2), of whatever scheme. */
export function isExactOrigin(text: string): boolean {
  if (!appOrigin.test(text) || !URL.canParse(text)) return false
  const { protocol, origin } = new URL(text)
  // A scheme is written small; the host of one that the URL standard does not know is as its browser has it.
  if (withoutOrigin.has(protocol) || !text.startsWith(protocol)) return false
  return ofTheWeb.has(protocol) ? origin === text : true
}

interface Kept {
  readonly name: string
  readonly value: string
  /** null: the host alone. */
  readonly domain: string | null
  readonly path: string
}

/** The cookies of one host, as a browser keeps them (RFC 6265bis §5.7): by name, path and domain, the host alone being a scope of its own. */
export class CookieJar {
  #kept: Kept[] = []

  /** What the browser takes from an answer. */
  take(lines: readonly string[]): this {
    for (const line of lines) this.#takeLine(line)
    return this
  }

  #takeLine(line: string): void {
    const [pair = '', ...rest] = line.split('; ')
    const attributes = new Map(rest.map((text) => [text.split('=', 1)[0]?.toLowerCase() ?? '', text.slice(text.indexOf('=') + 1)]))
    const name = pair.slice(0, pair.indexOf('='))
    const kept = { name, value: pair.slice(name.length + 1), domain: attributes.get('domain')?.toLowerCase() ?? null, path: attributes.get('path') ?? '/' }
    this.#kept = this.#kept.filter((other) => !(other.name === kept.name && other.domain === kept.domain && other.path === kept.path))
    if (attributes.get('max-age') !== '0') this.#kept.push(kept)
  }

  /** `Cookie` for a path: those with the longest path first. */
  header(path: string): string {
    const sent = this.#kept.filter((one) => path === one.path || path.startsWith(one.path.endsWith('/') ? one.path : `${one.path}/`))
    return sent.sort((a, b) => b.path.length - a.path.length).map(({ name, value }) => `${name}=${value}`).join('; ')
  }

  count(name: string): number {
    return this.#kept.filter((one) => one.name === name).length
  }
}

/** Who waits, in a tree of groups within groups: at every level the groups are served in turn, so that a large one delays itself. */
export interface Turns<Entry> {
  readonly size: number
  /** @param path the groups, the widest first */
  add(path: readonly string[], entry: Entry): void
  remove(path: readonly string[], entry: Entry): void
  /** Whose turn it is; taken out. */
  next(): Entry | undefined
}

interface Group<Entry> {
  size: number
  readonly entries: Entry[]
  /** In the order of their turns. */
  readonly groups: Map<string, Group<Entry>>
}

const newGroup = <Entry>(): Group<Entry> => ({ size: 0, entries: [], groups: new Map() })

export function createTurns<Entry>(): Turns<Entry> {
  const root = newGroup<Entry>()
  return {
    get size() {
      return root.size
    },
    add(path, entry) {
      let group = root
      group.size += 1
      for (const name of path) {
        const inner = group.groups.get(name) ?? newGroup<Entry>()
        group.groups.set(name, inner)
        group = inner
        group.size += 1
      }
      group.entries.push(entry)
    },
    remove(path, entry) {
      removeFrom(root, path, entry)
    },
    next: () => nextOf(root),
  }
}

function removeFrom<Entry>(group: Group<Entry>, [name, ...rest]: readonly string[], entry: Entry): boolean {
  const inner = name === undefined ? undefined : group.groups.get(name)
  if (name === undefined || inner === undefined) {
    const index = group.entries.indexOf(entry)
    if (index < 0) return false
    group.entries.splice(index, 1)
  } else if (!removeFrom(inner, rest, entry)) return false
  else if (inner.size === 0) group.groups.delete(name)
  group.size -= 1
  return true
}

/** The group whose turn it was goes to the end, which is where a Map puts what is set anew. */
function nextOf<Entry>(group: Group<Entry>): Entry | undefined {
  const [turn] = group.groups
  if (turn === undefined) {
    const entry = group.entries.shift()
    if (entry !== undefined) group.size -= 1
    return entry
  }
  const [name, inner] = turn
  const entry = nextOf(inner)
  group.groups.delete(name)
  if (inner.size > 0) group.groups.set(name, inner)
  if (entry !== undefined) group.size -= 1
  return entry
}

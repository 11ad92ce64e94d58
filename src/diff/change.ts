/** What became of something between two images. */
export type ChangeKind = 'added' | 'removed' | 'changed'

/** Something that is not the same in two images; null where it is not there. */
export interface Change<Value> {
  readonly name: string
  readonly kind: ChangeKind
  readonly from: Value | null
  readonly to: Value | null
}

/** What is not the same in two collections: in the order of the first, then what only the second has. */
export function changesOf<Value>(
  from: ReadonlyMap<string, Value>,
  to: ReadonlyMap<string, Value>,
  isSame: (one: Value, other: Value) => boolean = isSameJson,
): readonly Change<Value>[] {
  const changes: Change<Value>[] = []
  for (const [name, old] of from) {
    const now = to.get(name)
    if (now === undefined) changes.push({ name, kind: 'removed', from: old, to: null })
    else if (!isSame(old, now)) changes.push({ name, kind: 'changed', from: old, to: now })
  }
  for (const [name, now] of to) {
    if (!from.has(name)) changes.push({ name, kind: 'added', from: null, to: now })
  }
  return changes
}

function isSameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

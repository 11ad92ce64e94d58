import type { ImageConfig } from '../oci/config.ts'

/** A step of a history that only one of two images has. */
export interface HistoryChange {
  readonly kind: 'added' | 'removed'
  readonly createdBy: string
  readonly emptyLayer: boolean
}

type History = NonNullable<ImageConfig['history']>

/** The steps between what two histories have in common at their beginnings and at their ends; times do not count. */
export function compareHistories(from: History, to: History): readonly HistoryChange[] {
  const isSame = (one: History[number] | undefined, other: History[number] | undefined) =>
    (one?.created_by ?? '') === (other?.created_by ?? '') &&
    (one?.empty_layer ?? false) === (other?.empty_layer ?? false)
  const most = Math.min(from.length, to.length)
  let start = 0
  while (start < most && isSame(from[start], to[start])) start += 1
  let end = 0
  while (end < most - start && isSame(from.at(-1 - end), to.at(-1 - end))) end += 1
  const steps = (kind: HistoryChange['kind'], history: History) =>
    history.slice(start, history.length - end).map(step => ({
      kind,
      createdBy: step.created_by ?? '',
      emptyLayer: step.empty_layer ?? false,
    }))
  return [...steps('removed', from), ...steps('added', to)]
}

import { decodeName } from './entry-name.ts'
import { numberField } from './number-field.ts'
import type { PaxRecord } from './pax-records.ts'

/** A part of a sparse file that is no hole, in bytes. */
export interface Segment {
  readonly offset: number
  readonly length: number
}

/** The segments of a sparse file in the order of the file; or they stand in front of its stored content (PAX format 1.0). */
export type SparseMap = readonly Segment[] | 'in content'

/** A sparse map as a header tells it, with the size of the file that it makes. */
export interface FoundMap {
  readonly map: SparseMap
  readonly size: number
}

/** The map of an entry of type `S` (GNU tar's manual, "Old GNU Format"): four segments in the header, 21 in each block after it. */
export function oldSparseMap(header: Buffer, blocks: readonly Buffer[]): FoundMap | 'malformed' {
  const numbers = [slots(header, 386, 4), ...blocks.map(block => slots(block, 0, 21))].flat()
  return found(numbers, numberField(header, 483, 12))
}

/**
 * The map that PAX records tell of (GNU tar's manual, "PAX Format, Versions 0.0, 0.1, 1.0"), undefined where they tell of
 * none.
 */
export function paxSparseMap(records: readonly PaxRecord[]): FoundMap | 'malformed' | undefined {
  const all = (key: string) =>
    records.filter(record => record.key === key).map(({ value }) => decodeName(value))
  const size = decimal(all('GNU.sparse.realsize').at(-1) ?? all('GNU.sparse.size').at(-1))
  if (all('GNU.sparse.major').at(-1) === '1') {
    return size === undefined ? 'malformed' : { map: 'in content', size }
  }
  const map = all('GNU.sparse.map').at(-1)?.split(',')
  const offsets = all('GNU.sparse.offset')
  if (map === undefined && offsets.length === 0) return size === undefined ? undefined : found([], size)
  const lengths = all('GNU.sparse.numbytes')
  const numbers = map ?? offsets.flatMap((offset, index) => [offset, lengths[index]])
  return found(numbers.map(decimal), size)
}

/** Fields in pairs of 12 characters each; the first empty pair ends them. */
function slots(block: Buffer, offset: number, count: number): (number | undefined)[] {
  const pairs = Array.from({ length: count }, (_, index) => offset + index * 24)
  const end = pairs.findIndex(at => block[at + 12] === 0)
  return pairs
    .slice(0, end === -1 ? count : end)
    .flatMap(at => [numberField(block, at, 12), numberField(block, at + 12, 12)])
}

/** A whole number in decimal digits; undefined for everything else. */
export function decimal(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function found(numbers: readonly (number | undefined)[], size: number | undefined): FoundMap | 'malformed' {
  const map = size === undefined || size < 0 ? undefined : checkedMap(numbers, size)
  return size === undefined || map === undefined ? 'malformed' : { map, size }
}

/** Segments from pairs of numbers; each must lie behind the one before it and within the file. */
export function checkedMap(
  numbers: readonly (number | undefined)[],
  size: number,
): readonly Segment[] | undefined {
  const map: Segment[] = []
  let end = 0
  for (let index = 0; index < numbers.length; index += 2) {
    const offset = numbers[index]
    const length = numbers[index + 1]
    if (offset === undefined || length === undefined || offset < end || length < 0) return undefined
    end = offset + length
    map.push({ offset, length })
  }
  return end <= size ? map : undefined
}

import type { DecodableBlocks } from './decode-head.ts'
import { numberField } from './number-field.ts'
import type { PaxRecord } from './pax-records.ts'

/** The blocks of the header of one entry, as they come. */
export class HeadBlocks implements DecodableBlocks {
  readonly all: Buffer[] = []
  /** What belongs to this entry alone. */
  readonly own: Buffer[] = []
  readonly withoutPax: Buffer[] = []
  readonly map: Buffer[] = []
  /** The records of the entry's own PAX header. */
  pax: readonly PaxRecord[] = []
  /** How long they are together, in bytes. */
  length = 0

  get last(): Buffer {
    return this.all.at(-1) ?? Buffer.alloc(0)
  }

  /** True where a size other than 0 is told of, in the block or in a record. */
  hasSize(inherited: readonly PaxRecord[]): boolean {
    return (
      numberField(this.last, 124, 12) !== 0 || [...inherited, ...this.pax].some(({ key }) => key === 'size')
    )
  }

  /** @param flag the type of the first block, or `map` for one that goes on with a map */
  add(blocks: readonly Buffer[], flag: string): void {
    for (const block of blocks) this.length += block.length
    if (flag !== 'map') this.all.push(...blocks)
    if (flag !== 'g') this.own.push(...blocks)
    if (flag !== 'g' && flag !== 'x') this.withoutPax.push(...blocks)
  }
}

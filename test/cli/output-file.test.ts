import { describe, expect, it } from 'vitest'
import { writeGathered } from '../../src/cli/output-file.ts'
import { flow } from '../../src/flow.ts'

describe('many small pieces', () => {
  it('go to stdout as few large ones, in their order, and the memory of a piece may be used again', async () => {
    const piece = Buffer.alloc(1000)
    const all = flow(async take => {
      for (let n = 0; n < 1000; n += 1) await take(piece.fill(n))
      await take(Buffer.alloc(600_000, 'z'))
    })
    const written: Buffer[] = []
    const write = async (bytes: string | Uint8Array) => void written.push(Buffer.from(bytes as Uint8Array))
    await writeGathered(all, {
      isTerminal: false,
      columns: undefined,
      write,
      writeAll: () => Promise.reject(),
    })
    const expected = Buffer.concat([
      ...Array.from({ length: 1000 }, (_, n) => Buffer.alloc(1000, n)),
      Buffer.alloc(600_000, 'z'),
    ])
    expect(Buffer.concat(written).equals(expected)).toBe(true)
    expect(written.map(({ length }) => length)).toEqual([...Array<number>(6).fill(262_144), 27_136])
  })
})

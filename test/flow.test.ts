import { describe, expect, it } from 'vitest'
import { type Chunks, type Flow, flow, pour, skip, watched } from '../src/flow.ts'

/** Hands the texts over in one piece of memory that is used again for each. */
function reused(...texts: readonly string[]): Flow & { readonly taken: string[]; isOver: boolean } {
  const memory = Buffer.alloc(16)
  const state = { taken: [] as string[], isOver: false }
  const content = flow(async take => {
    try {
      for (const text of texts) {
        const piece = memory.subarray(0, memory.write(text))
        await take(piece)
        state.taken.push(text)
      }
    } finally {
      state.isOver = true
    }
  })
  return Object.assign(state, content)
}

describe('content that flows', () => {
  it('hands its pieces over in order, each when the one before is taken', async () => {
    const seen: string[] = []
    const content = reused('one', 'two', 'three')
    await pour(content, async piece => {
      const text = Buffer.from(piece).toString()
      await Promise.resolve()
      seen.push(`${text} after ${content.taken.length}`)
    })
    expect(seen).toEqual(['one after 0', 'two after 1', 'three after 2'])
  })

  it('gives an iteration pieces that last', async () => {
    const pieces: Uint8Array[] = []
    for await (const piece of reused('one', 'two', 'three')) pieces.push(piece)
    expect(Buffer.concat(pieces).toString()).toBe('onetwothree')
  })

  it('is over when the reader of an iteration leaves', async () => {
    const content = reused('one', 'two', 'three')
    for await (const piece of content) {
      expect(Buffer.from(piece).toString()).toBe('one')
      break
    }
    expect(content.isOver).toBe(true)
    expect(content.taken).toEqual([])
  })

  it('ends with what the taker throws', async () => {
    const content = reused('one', 'two')
    const refuse = () => {
      throw new Error('enough')
    }
    await expect(pour(content, refuse)).rejects.toThrow('enough')
    expect(content.isOver).toBe(true)
  })

  it('shows a fault of the content behind the pieces that came before it', async () => {
    const broken = flow(async take => {
      await take(Buffer.from('one'))
      throw new Error('the line broke')
    })
    const seen: string[] = []
    const read = async () => {
      for await (const piece of broken) seen.push(Buffer.from(piece).toString())
    }
    await expect(read()).rejects.toThrow('the line broke')
    expect(seen).toEqual(['one'])
  })

  it('can be empty', async () => {
    const pieces: Uint8Array[] = []
    for await (const piece of flow(async () => {})) pieces.push(piece)
    expect(pieces).toEqual([])
  })
})

describe('content that is iterated', () => {
  it('is handed over piece by piece too', async () => {
    const seen: string[] = []
    async function* iterated() {
      yield Buffer.from('one')
      yield Buffer.from('two')
    }
    await pour(iterated(), async piece => seen.push(Buffer.from(piece).toString()))
    expect(seen).toEqual(['one', 'two'])
  })
})

async function* breaking(error: Error): Chunks {
  yield Buffer.from('one')
  throw error
}

describe('content that is watched', () => {
  const broken = new Error('the line broke')

  it.each([
    ['iterated', () => breaking(broken)],
    ['flowing', () => flow(take => pour(breaking(broken), take))],
  ])('tells what it fails with, and fails with it: %s', async (_, content) => {
    const told: unknown[] = []
    const seen: string[] = []
    const take = (piece: Uint8Array) => {
      seen.push(Buffer.from(piece).toString())
      return undefined
    }
    await expect(
      pour(
        watched(content(), error => told.push(error)),
        take,
      ),
    ).rejects.toBe(broken)
    expect({ told, seen }).toEqual({ told: [broken], seen: ['one'] })
  })

  it.each([
    [
      'throws',
      () => () => {
        throw broken
      },
    ],
    ['rejects with', () => () => Promise.reject(broken)],
  ])('does not tell what its taker %s', async (_, taker) => {
    const told: unknown[] = []
    const content = watched(reused('one', 'two'), error => told.push(error))
    await expect(pour(content, taker())).rejects.toBe(broken)
    expect(told).toEqual([])
  })

  it('does not tell that its reader has left', async () => {
    const told: unknown[] = []
    for await (const _ of watched(reused('one', 'two'), error => told.push(error))) break
    expect(told).toEqual([])
  })
})

describe('content without its first bytes', () => {
  it.each([
    [0, 'onetwothree'],
    [2, 'etwothree'],
    [3, 'twothree'],
    [4, 'wothree'],
    [11, ''],
    [99, ''],
  ])('leaves out %i of them, however the pieces lie', async (bytes, rest) => {
    const pieces: Uint8Array[] = []
    for await (const piece of skip(reused('one', 'two', 'three'), bytes)) pieces.push(piece)
    expect(Buffer.concat(pieces).toString()).toBe(rest)
    expect(pieces.every(({ length }) => length > 0)).toBe(true)
  })
})

import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Chunks } from '../../src/flow.ts'
import { compressed } from '../../src/tar/compress.ts'
import { type DecompressOptions, decompressed } from '../../src/tar/decompress.ts'
import { bytesOf, piecesOf } from './sample-tar.ts'

const sample = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * index) >> 5))
/** Bytes that cannot be compressed. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 1
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

const packers = [
  ['gzip', (bytes: Uint8Array) => gzipSync(bytes)],
  ['zstd', (bytes: Uint8Array) => zstdCompressSync(bytes)],
] as const
/** A frame without content, as pzstd and zstd:chunked have it. */
const skippable = Buffer.from('5a2a4d180300000061626300', 'hex').subarray(0, 11)

async function unpacked(chunks: Chunks, options: Partial<DecompressOptions> = {}): Promise<Buffer> {
  return bytesOf((await decompressed(chunks, { name: 'layer', ...options })).content)
}
const fault = (message: string) => ({ code: 'INTEGRITY', message: `layer: ${message}` })

describe('content that is not compressed', () => {
  it.each([0, 1, 3, 4, 5, 2000])('comes as it is: %s bytes', async length => {
    const bytes = sample.subarray(10, 10 + length)
    const { compression, content } = await decompressed(piecesOf(bytes, 2), { name: 'layer' })
    expect(compression).toBe('none')
    expect((await bytesOf(content)).equals(bytes)).toBe(true)
  })

  it('has a limit too', async () => {
    expect(await unpacked(piecesOf(sample), { maxBytes: sample.length })).toHaveLength(sample.length)
    await expect(unpacked(piecesOf(sample), { maxBytes: sample.length - 1 })).rejects.toMatchObject(
      fault('unpacks to more than 399999 bytes, which is the limit'),
    )
  })
})

describe.each(packers)('content compressed with %s', (name, pack) => {
  it.each([1, 7, 1000, 1_000_000])('is unpacked, in pieces of %s bytes', async length => {
    const bytes = length === 1 ? sample.subarray(0, 5000) : sample
    const { compression, content } = await decompressed(piecesOf(pack(bytes), length), { name: 'layer' })
    expect(compression).toBe(name)
    expect((await bytesOf(content)).equals(bytes)).toBe(true)
  })

  it.each([7, 1000, 1_000_000])(
    'is unpacked where it is in several parts, in pieces of %s bytes',
    async length => {
      const parts = [sample, sample.subarray(0, 10), Buffer.alloc(0), sample.subarray(99)]
      const bytes = Buffer.concat(parts.map(pack))
      expect((await unpacked(piecesOf(bytes, length))).equals(Buffer.concat(parts))).toBe(true)
    },
  )

  it('is refused where it is cut off', async () => {
    const bytes = Buffer.concat([pack(sample), pack(sample)])
    const half = bytes.length / 2
    for (const cut of [
      4,
      5,
      9,
      100,
      half - 1,
      half + 1,
      half + 2,
      half + 10,
      bytes.length - 5,
      bytes.length - 1,
    ]) {
      for (const length of [1000, 1_000_000]) {
        const reading = unpacked(piecesOf(bytes.subarray(0, cut), length))
        await expect(reading, `at byte ${cut}`).rejects.toMatchObject({ code: 'INTEGRITY' })
      }
    }
    expect((await unpacked(piecesOf(bytes.subarray(0, half)))).equals(sample)).toBe(true)
  })

  it('is refused where it is damaged', async () => {
    const bytes = await bytesOf(compressed(piecesOf(sample), { compression: name }))
    bytes.fill(0xa5, 1000, 1100)
    await expect(unpacked(piecesOf(bytes))).rejects.toMatchObject({ code: 'INTEGRITY' })
  })

  it.each([1000, 1_000_000])(
    'is refused where something else is behind it, in pieces of %s bytes',
    async length => {
      const bytes = Buffer.concat([pack(sample), Buffer.from('something else')])
      await expect(unpacked(piecesOf(bytes, length))).rejects.toMatchObject({ code: 'INTEGRITY' })
    },
  )

  it('has a limit to what comes out', async () => {
    const bytes = pack(Buffer.alloc(1_000_000))
    let taken = 0
    const { content } = await decompressed(piecesOf(bytes), { name: 'layer', maxBytes: 300_000 })
    const reading = async () => {
      for await (const piece of content) taken += piece.length
    }
    await expect(reading()).rejects.toMatchObject(
      fault('unpacks to more than 300000 bytes, which is the limit'),
    )
    expect(taken).toBeLessThanOrEqual(300_000)
  })

  it('fails with what its chunks fail with', async () => {
    const error = new Error('the line is cut')
    const chunks = (async function* () {
      yield pack(sample).subarray(0, 300)
      throw error
    })()
    await expect(unpacked(chunks)).rejects.toBe(error)
  })

  it('is taken no faster than it is read, and closed when its reader leaves', async () => {
    const bytes = pack(noise(2_000_000))
    const state = { given: 0, isClosed: false }
    const chunks = (async function* () {
      try {
        for await (const piece of piecesOf(bytes, 10_000)) {
          state.given += piece.length
          yield piece
        }
      } finally {
        state.isClosed = true
      }
    })()
    const { content } = await decompressed(chunks, { name: 'layer' })
    for await (const piece of content) {
      expect(piece.length).toBeGreaterThan(0)
      await new Promise(resolve => setImmediate(resolve))
      break
    }
    expect(state.given).toBeLessThan(bytes.length / 2)
    expect(state.isClosed).toBe(true)
  })

  it('is compressed by us so that all can read it, each time the same', async () => {
    const unpack = name === 'gzip' ? gunzipSync : zstdDecompressSync
    for (const level of [undefined, 1, 9]) {
      const options = { compression: name, level }
      const one = await bytesOf(compressed(piecesOf(sample), options))
      expect(unpack(one).equals(sample)).toBe(true)
      expect(one.equals(await bytesOf(compressed(piecesOf(sample, 99), options)))).toBe(true)
    }
    const error = new Error('the disk is gone')
    const chunks = (async function* () {
      yield sample
      throw error
    })()
    await expect(bytesOf(compressed(chunks, { compression: name }))).rejects.toBe(error)
  })
})

describe('gzip', () => {
  it('may have zeros behind it, and is read to its end', async () => {
    const bytes = Buffer.concat([gzipSync(sample), Buffer.alloc(5000)])
    for (const length of [1000, 1_000_000]) {
      let isRead = false
      const chunks = (async function* () {
        yield* piecesOf(bytes, length)
        isRead = true
      })()
      expect((await unpacked(chunks)).equals(sample)).toBe(true)
      expect(isRead).toBe(true)
      await expect(
        unpacked(piecesOf(Buffer.concat([bytes, Buffer.from('x')]), length)),
      ).rejects.toMatchObject(fault('something else is behind the gzip data'))
    }
  })

  it('that we write tells no time and no system', async () => {
    const bytes = await bytesOf(compressed(piecesOf(sample), { compression: 'gzip' }))
    expect(bytes.subarray(0, 10)).toEqual(Buffer.from('1f8b08000000000000ff', 'hex'))
  })
})

describe('zstd', () => {
  const frame = zstdCompressSync(sample)

  it('has frames without content left out, also the first', async () => {
    const bytes = Buffer.concat([skippable, frame, skippable, skippable, frame, skippable])
    for (const length of [3, 1000, 1_000_000]) {
      const { compression, content } = await decompressed(piecesOf(bytes, length), { name: 'layer' })
      expect(compression).toBe('zstd')
      expect((await bytesOf(content)).equals(Buffer.concat([sample, sample]))).toBe(true)
    }
  })

  it('is not cut off in a frame without content', async () => {
    const bytes = Buffer.concat([frame, skippable.subarray(0, 9)])
    await expect(unpacked(piecesOf(bytes))).rejects.toMatchObject(fault('the zstd data is cut off'))
  })

  it('is followed frame by frame, whatever is in them', async () => {
    const contents = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 3000 }),
        fc.nat(300_000).map(size => new Uint8Array(size)),
      ),
      { minLength: 1, maxLength: 5 },
    )
    await fc.assert(
      fc.asyncProperty(contents, fc.integer({ min: 1, max: 5000 }), async (parts, length) => {
        const bytes = Buffer.concat(parts.map(part => zstdCompressSync(part)))
        expect((await unpacked(piecesOf(bytes, length))).equals(Buffer.concat(parts))).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('unpacks to no more than a multiple of its size, once that is much', async () => {
    const mebibyte = zstdCompressSync(Buffer.alloc(1024 ** 2))
    const { content } = await decompressed(piecesOf(Buffer.concat(Array(40).fill(mebibyte))), {
      name: 'layer',
      maxRatio: 100,
      freeBytes: 10 * 1024 ** 2,
    })
    let taken = 0
    const reading = async () => {
      for await (const piece of content) taken += piece.length
    }
    await expect(reading()).rejects.toMatchObject(
      fault('unpacks to more than 100 times its size, which is the limit'),
    )
    expect(taken).toBeGreaterThan(9 * 1024 ** 2)
    expect(taken).toBeLessThanOrEqual(10 * 1024 ** 2)
  })
})

describe('a Node.js without zstd', () => {
  afterEach(() => {
    vi.doUnmock('node:zlib')
    vi.resetModules()
  })

  it('says that it has none, and which has', async () => {
    vi.resetModules()
    vi.doMock('node:zlib', async () => {
      const { createZstdCompress, createZstdDecompress, ...older } =
        await vi.importActual<typeof import('node:zlib')>('node:zlib')
      return { ...older, createZstdCompress: undefined, createZstdDecompress: undefined }
    })
    const { decompressed } = await import('../../src/tar/decompress.ts')
    const { compressed } = await import('../../src/tar/compress.ts')
    const lacking = { code: 'UNSUPPORTED', hint: 'use Node.js 22.15 or later' }
    let isClosed = false
    const chunks = (async function* () {
      try {
        yield zstdCompressSync(sample)
      } finally {
        isClosed = true
      }
    })()
    await expect(decompressed(chunks, { name: 'layer' })).rejects.toMatchObject(lacking)
    expect(isClosed).toBe(true)
    await expect(bytesOf(compressed(piecesOf(sample), { compression: 'zstd' }))).rejects.toMatchObject(
      lacking,
    )
  })
})

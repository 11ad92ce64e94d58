import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { type Flow, flow, pour } from '../../src/flow.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { Checkpoints } from '../../src/transfer/checkpoints.ts'
import { bytesOf } from './images.ts'

const content = bytesOf(1000)
const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.length }
const stepBytes = 100
const broken = new DrayError('NETWORK', 'broken')

/** A blob that is read again and again, in pieces, and what was asked of its source. */
function blobInPieces(pieceBytes: number, bytes: Buffer = content) {
  const begins: number[] = []
  const checkpoints = new Checkpoints(descriptor, 'a blob', { stepBytes })
  /** Reads from `start` to `end`, where the source breaks; `given` is what came out. */
  const read = async (start: number, end = bytes.length, now = bytes) => {
    const readFrom = (begin: number): Flow => {
      begins.push(begin)
      return flow(async take => {
        for (let at = begin; at < end; at += pieceBytes)
          await take(now.subarray(at, Math.min(at + pieceBytes, end)))
        if (end < bytes.length) throw broken
      })
    }
    const given: Buffer[] = []
    const error: unknown = await pour(checkpoints.verified(start, readFrom), piece => {
      given.push(Buffer.from(piece))
      return undefined
    }).catch((fault: unknown) => fault)
    return { given: Buffer.concat(given), error }
  }
  return { begins, read }
}

const corrupt = (at: number) => {
  const bytes = Buffer.from(content)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at)
  return bytes
}

describe('a reading that begins where another has come', () => {
  test('reads again what lies behind the last kept state, and gives out only the rest', async () => {
    const { begins, read } = blobInPieces(30)
    expect(await read(0, 555)).toEqual({ given: content.subarray(0, 555), error: broken })
    expect(await read(444)).toEqual({ given: content.subarray(444), error: undefined })
    // Kept behind the pieces that end at 120, 240, 360, 480.
    expect(begins).toEqual([0, 360])
  })

  test('needs nothing to be kept: a short one is read from its start', async () => {
    const { begins, read } = blobInPieces(30)
    await read(0, 90)
    expect(await read(50)).toEqual({ given: content.subarray(50), error: undefined })
    expect(begins).toEqual([0, 0])
  })

  test('may begin at the end, and before anything was read', async () => {
    const { begins, read } = blobInPieces(100)
    expect(await read(700)).toEqual({ given: content.subarray(700), error: undefined })
    expect(await read(1000)).toEqual({ given: Buffer.alloc(0), error: undefined })
    expect(begins).toEqual([0, 1000])
  })

  test.each([0, 99, 359, 360, 399, 400, 401, 999])(
    'at 400 finds a byte that is wrong at the source: %i',
    async at => {
      const { read } = blobInPieces(30, corrupt(at))
      await read(0, 450)
      const { given, error } = await read(400)
      expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining('a blob') })
      expect(given.length).toBeLessThan(600)
    },
  )

  test.each([0, 200, 359])('at 400 finds a byte that was wrong the first time: %i', async at => {
    const { read } = blobInPieces(30)
    await read(0, 450, corrupt(at))
    expect((await read(400)).error).toMatchObject({ code: 'INTEGRITY' })
  })

  test('at the start forgets what was wrong the first time', async () => {
    const { read } = blobInPieces(30)
    await read(0, 450, corrupt(10))
    expect(await read(0, 650)).toEqual({ given: content.subarray(0, 650), error: broken })
    expect(await read(300)).toEqual({ given: content.subarray(300), error: undefined })
  })

  test.each([
    ['too short', content.subarray(0, 900), /ended after 900 of 1000 bytes/],
    ['too long', Buffer.concat([content, Buffer.from('!')]), /more than the 1000 bytes/],
  ])('finds content that is %s', async (_, bytes, message) => {
    const { read } = blobInPieces(30, bytes)
    await read(0, 450)
    expect((await read(400)).error).toMatchObject({
      code: 'INTEGRITY',
      message: expect.stringMatching(message),
    })
  })

  test('gives out the same whatever the pieces and wherever it breaks', async () => {
    const place = fc.integer({ min: 1, max: 999 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(place, { maxLength: 6 }),
        fc.integer({ min: 1, max: 400 }),
        async (ends, length) => {
          const { read } = blobInPieces(length)
          let start = 0
          const parts: Buffer[] = []
          for (const end of ends) {
            const { given } = await read(start, Math.max(start, end))
            // The registry has kept half of it.
            parts.push(given.subarray(0, given.length >> 1))
            start += given.length >> 1
          }
          const last = await read(start)
          expect(last.error).toBeUndefined()
          expect(Buffer.concat([...parts, last.given]).equals(content)).toBe(true)
        },
      ),
    )
  })
})

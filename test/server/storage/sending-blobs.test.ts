import { expect, it } from 'vitest'
import { SendingBlobs } from '../../../src/server/storage/sending-blobs.ts'

const kib = 1024

it('blobs are sent in smaller pieces while many are sent, and in large ones when those have ended, well or badly', async () => {
  const sending = new SendingBlobs()
  const sizes: number[] = []
  let end: (how: Promise<void>) => void = () => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  const sent = Array.from({ length: 4096 }, () =>
    sending.send(async pieceBytes => {
      sizes.push(pieceBytes)
      await ended
    }),
  )
  expect(new Set(sizes.slice(0, 128))).toEqual(new Set([512 * kib]))
  expect(sizes[255]).toBe(256 * kib)
  expect(sizes.at(-1)).toBe(64 * kib)
  // Two pieces of each: nowhere near the 4 GiB of as many large ones.
  expect(2 * sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1024 ** 3)
  end(Promise.reject(new Error('the client hung up')))
  await Promise.allSettled(sent)
  await sending.send(async pieceBytes => expect(pieceBytes).toBe(512 * kib))
})

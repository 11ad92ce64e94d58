import { describe, expect, test } from 'vitest'
import { DrayError, type ErrorCode } from '../../src/errors.ts'
import type { Chunks } from '../../src/flow.ts'
import { readBlob } from '../../src/transfer/read-blob.ts'
import { addBlob, bytesOf, instantSleep, settle, stores } from './images.ts'

const content = bytesOf(10_000)

function blobAt() {
  const { source } = stores()
  return { source, blob: addBlob(source, content) }
}

/** Gives so many bytes and then fails, or just ends. */
async function* cut(chunks: Chunks, bytes: number, error?: Error): AsyncGenerator<Uint8Array> {
  let left = bytes
  for await (const chunk of chunks) {
    if (left > 0) yield chunk.subarray(0, left)
    left -= chunk.length
    if (left <= 0) break
  }
  if (error !== undefined) throw error
}

/** What was given out, and what it ended with. */
async function drain(chunks: Chunks): Promise<{ bytes: Buffer; error: unknown }> {
  const parts: Uint8Array[] = []
  try {
    for await (const chunk of chunks) parts.push(chunk)
  } catch (error) {
    return { bytes: Buffer.concat(parts), error }
  }
  return { bytes: Buffer.concat(parts), error: undefined }
}

describe('reading a blob', () => {
  test('takes a whole stream in one opening and closes it', async () => {
    const { source, blob } = blobAt()
    expect(await drain(readBlob(source, blob))).toEqual({ bytes: content, error: undefined })
    expect(source.calls).toEqual([`getBlob ${blob.digest} 0`])
    expect(source.openStreams).toBe(0)
  })

  test.each([
    { how: 'a broken connection', error: new DrayError('NETWORK', 'reset') },
    { how: 'a time-out', error: new DrayError('TIMEOUT', 'stalled') },
    { how: 'a fault of the registry', error: new DrayError('REGISTRY', 'bad gateway', { status: 502 }) },
    { how: 'an early end', error: undefined },
  ])('opens again after $how, at the byte where it broke', async ({ error }) => {
    const { source, blob } = blobAt()
    const { sleep } = instantSleep()
    source.faults.getBlob = (chunks, _, { start }) => (start === 0 ? cut(chunks, 3333, error) : chunks)
    expect(await drain(readBlob(source, blob, { sleep }))).toEqual({ bytes: content, error: undefined })
    expect(source.calls).toEqual([`getBlob ${blob.digest} 0`, `getBlob ${blob.digest} 3333`])
    expect(source.openStreams).toBe(0)
  })

  test('gives up after so many openings in a row without a byte, with growing waits', async () => {
    const { source, blob } = blobAt()
    const { delays, sleep } = instantSleep()
    const reset = new DrayError('NETWORK', 'reset')
    source.faults.getBlob = (chunks, _, { start }) => cut(chunks, start === 0 ? 5000 : 0, reset)
    const { bytes, error } = await drain(readBlob(source, blob, { retries: 3, sleep }))
    expect(error).toBe(reset)
    expect(bytes).toEqual(content.subarray(0, 5000))
    expect(source.calls).toHaveLength(4)
    expect(delays.map(delay => delay >= 250 && delay <= 500)[0]).toBe(true)
    expect(delays[2]).toBeGreaterThan(delays[0] ?? 0)
  })

  test('goes on for as long as each opening brings it further', async () => {
    const { source, blob } = blobAt()
    const { sleep } = instantSleep()
    source.faults.getBlob = chunks => cut(chunks, 1000, new DrayError('NETWORK', 'reset'))
    const { bytes, error } = await drain(readBlob(source, blob, { retries: 1, sleep }))
    expect({ bytes, error }).toEqual({ bytes: content, error: undefined })
    expect(source.calls).toHaveLength(10)
  })

  test('never opens again with retries: 0, and then throws what broke', async () => {
    const { source, blob } = blobAt()
    const reset = new DrayError('NETWORK', 'reset')
    source.faults.getBlob = chunks => cut(chunks, 3000, reset)
    expect((await drain(readBlob(source, blob, { retries: 0 }))).error).toBe(reset)
    expect(source.calls).toHaveLength(1)
  })

  test.each<ErrorCode>(['INTEGRITY', 'NOT_FOUND', 'UNAUTHORIZED', 'REGISTRY', 'IO'])(
    'never opens again after %s',
    async code => {
      const { source, blob } = blobAt()
      const fault = new DrayError(code, 'no', { status: code === 'REGISTRY' ? 429 : undefined })
      source.faults.getBlob = chunks => cut(chunks, 3000, fault)
      expect((await drain(readBlob(source, blob))).error).toBe(fault)
      expect(source.calls).toHaveLength(1)
    },
  )

  test('leaves an opening that fails to the store, which tries its requests again itself', async () => {
    const { source, blob } = blobAt()
    const { delays, sleep } = instantSleep()
    const refused = new DrayError('NETWORK', 'refused')
    source.faults.getBlob = (chunks, _, { start }) => {
      if (start > 0) throw refused
      return cut(chunks, 3000)
    }
    expect((await drain(readBlob(source, blob, { sleep }))).error).toBe(refused)
    expect(source.calls).toHaveLength(2)
    expect(delays).toHaveLength(1)
  })

  test('tells of each retry before it waits', async () => {
    const { source, blob } = blobAt()
    const { delays, sleep } = instantSleep()
    const reset = new DrayError('NETWORK', 'reset')
    source.faults.getBlob = (chunks, _, { start }) => (start === 0 ? cut(chunks, 2000, reset) : chunks)
    const told: unknown[] = []
    await drain(readBlob(source, blob, { sleep, onRetry: retry => told.push(retry) }))
    expect(told).toEqual([{ name: `from.test/app@${blob.digest}`, reason: 'reset', delayMs: delays[0] }])
  })

  test('counts and hashes across openings: a second part that is wrong is found out', async () => {
    const { source, blob } = blobAt()
    const { sleep } = instantSleep()
    source.faults.getBlob = (chunks, _, { start }) =>
      start === 0 ? cut(chunks, 9000) : cut(one(Buffer.alloc(1000, '!')), 1000)
    const { bytes, error } = await drain(readBlob(source, blob, { sleep }))
    expect(error).toMatchObject({ code: 'INTEGRITY' })
    expect(bytes).toEqual(content.subarray(0, 9000))
  })

  test('never gives out the last piece of wrong bytes', async () => {
    const { source, blob } = blobAt()
    source.blobs.set(blob.digest, bytesOf(10_000, 'other'))
    const { bytes, error } = await drain(readBlob(source, blob))
    expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining(blob.digest) })
    expect(bytes.length).toBeLessThan(10_000)
    expect(source.calls).toHaveLength(1)
  })

  test('finds out content that is longer than its descriptor says', async () => {
    const { source, blob } = blobAt()
    source.blobs.set(blob.digest, Buffer.concat([content, Buffer.from('!')]))
    source.chunkBytes = 4096
    const { bytes, error } = await drain(readBlob(source, blob))
    expect(error).toMatchObject({ code: 'INTEGRITY' })
    expect(bytes).toEqual(content.subarray(0, 8192))
  })

  test('takes a source that has no more at its word: too short is INTEGRITY after one more opening', async () => {
    const { source, blob } = blobAt()
    const { sleep } = instantSleep()
    source.blobs.set(blob.digest, content.subarray(0, 6000))
    const { error } = await drain(readBlob(source, blob, { sleep }))
    expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining('6000 of 10000') })
    expect(source.calls).toEqual([`getBlob ${blob.digest} 0`, `getBlob ${blob.digest} 6000`])
  })

  test('understands a 416 as a blob that is too short', async () => {
    const { source, blob } = blobAt()
    const { sleep } = instantSleep()
    source.faults.getBlob = (chunks, _, { start }) => {
      if (start > 0) throw new DrayError('REGISTRY', 'range not satisfiable', { status: 416 })
      return cut(chunks, 6000)
    }
    const { error } = await drain(readBlob(source, blob, { sleep }))
    expect(error).toMatchObject({ code: 'INTEGRITY', message: expect.stringContaining('6000 of 10000') })
  })

  test('does not mind a connection that breaks after the last byte', async () => {
    const { source, blob } = blobAt()
    source.faults.getBlob = chunks => cut(chunks, 10_000, new DrayError('NETWORK', 'reset'))
    expect(await drain(readBlob(source, blob))).toEqual({ bytes: content, error: undefined })
    expect(source.calls).toHaveLength(1)
  })

  test('reads an empty blob, and notices when it is not there', async () => {
    const { source } = stores()
    const empty = addBlob(source, '')
    expect(await drain(readBlob(source, empty))).toEqual({ bytes: Buffer.alloc(0), error: undefined })
    source.blobs.clear()
    expect((await drain(readBlob(source, empty))).error).toMatchObject({ code: 'NOT_FOUND' })
  })

  test('closes the source when its reader goes away early', async () => {
    const { source, blob } = blobAt()
    for await (const chunk of readBlob(source, blob)) {
      expect(source.openStreams).toBe(1)
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(source.openStreams).toBe(0)
  })

  test('ends with ABORTED between two pieces and closes the source', async () => {
    const { source, blob } = blobAt()
    const caller = new AbortController()
    const reading = readBlob(source, blob, { signal: caller.signal })[Symbol.asyncIterator]()
    await reading.next()
    caller.abort()
    await expect(reading.next()).rejects.toMatchObject({ code: 'ABORTED' })
    expect(source.openStreams).toBe(0)
  })

  test('hands the signal to the source, so that a reading that hangs can end', async () => {
    const { source, blob } = blobAt()
    const caller = new AbortController()
    source.faults.getBlob = (_, __, { signal }) => hang(signal)
    const reading = drain(readBlob(source, blob, { signal: caller.signal }))
    await settle()
    caller.abort()
    expect((await reading).error).toMatchObject({ code: 'ABORTED' })
    expect(source.calls).toHaveLength(1)
  })

  test('ends with ABORTED while it waits for the next try', async () => {
    const { source, blob } = blobAt()
    const caller = new AbortController()
    source.faults.getBlob = chunks => cut(chunks, 0, new DrayError('NETWORK', 'reset'))
    const onRetry = () => queueMicrotask(() => caller.abort())
    const { error } = await drain(readBlob(source, blob, { signal: caller.signal, onRetry }))
    expect(error).toMatchObject({ code: 'ABORTED' })
    expect(source.calls).toHaveLength(1)
  })
})

async function* one(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk
}

async function* hang(signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  await new Promise<void>((_, reject) => signal?.addEventListener('abort', () => reject(new Error('ended'))))
}

import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import { type Chunks, pour } from '../../src/flow.ts'
import { BlobReadings } from '../../src/transfer/blob-readings.ts'
import type { TransferEvent } from '../../src/transfer/events.ts'
import { addBlob, bytesOf, instantSleep, settle, stall, stores } from './images.ts'

const content = bytesOf(5000)

/** The readings of a blob for an upload. */
function openReadings({ verify = true, verifiesBlobs = false } = {}) {
  const { source, destination } = stores()
  const blob = addBlob(source, content)
  destination.verifiesBlobs = verifiesBlobs
  const events: TransferEvent[] = []
  const group = new AbortController()
  const opened = new BlobReadings(blob, {
    source,
    destination,
    group,
    verify,
    reading: { sleep: instantSleep().sleep },
    onEvent: event => void events.push(event),
  })
  const restarts = () => events.flatMap(event => (event.type === 'blob-restarted' ? [event.start] : []))
  return { source, blob, readings: opened, events, restarts, group }
}

/** All that comes, and what it ended with. */
async function drain(chunks: Chunks): Promise<{ bytes: Buffer; error?: unknown }> {
  const parts: Buffer[] = []
  const take = (piece: Uint8Array) => {
    parts.push(Buffer.from(piece))
    return undefined
  }
  return pour(chunks, take).then(
    () => ({ bytes: Buffer.concat(parts) }),
    error => ({ bytes: Buffer.concat(parts), error }),
  )
}

describe('the readings of a blob', () => {
  test('ask the source for nothing before somebody reads', async () => {
    const { source, readings, events } = openReadings()
    await readings.open()
    await settle()
    await readings.close()
    expect({ calls: source.calls, streams: source.openStreams, events }).toEqual({
      calls: [],
      streams: 0,
      events: [],
    })
  })

  test('tell where each begins that is not the first from the start', async () => {
    const { readings, restarts } = openReadings()
    await drain(await readings.open())
    expect(restarts()).toEqual([])
    for (const start of [1500, 0, 5000]) {
      expect((await drain(await readings.open(start))).bytes).toEqual(content.subarray(start))
    }
    expect(restarts()).toEqual([1500, 0, 5000])
  })

  test('tell that the first begins in the middle', async () => {
    const { readings, restarts } = openReadings()
    expect(await drain(await readings.open(4000))).toEqual({ bytes: content.subarray(4000) })
    expect(restarts()).toEqual([4000])
  })

  test('count as progress what is given out, not what is only read again to verify it', async () => {
    const { readings, events } = openReadings()
    await drain(await readings.open(4000))
    const passed = events.map(event => (event.type === 'blob-progress' ? event.bytes : 0))
    expect(passed.reduce((sum, bytes) => sum + bytes)).toBe(1000)
  })

  test.each(['iteration', 'pouring'])('are ended though the source stalls: %s', async how => {
    const { source, readings } = openReadings()
    source.faults.getBlob = (chunks, _, { signal }) => stall(chunks, signal)
    const reading = await readings.open()
    const ended = how === 'pouring' ? drain(reading) : drain(iterated(reading))
    await settle()
    expect(source.openStreams).toBe(1)
    await readings.close()
    expect(source.openStreams).toBe(0)
    expect((await ended).error).toMatchObject({ code: 'ABORTED' })
  })

  test('are ended though the store has left one without a word', async () => {
    const { source, readings } = openReadings()
    await (await readings.open())[Symbol.asyncIterator]().next()
    expect(source.openStreams).toBe(1)
    await readings.close()
    expect(source.openStreams).toBe(0)
  })

  test('are ended though the store takes a piece and never says that it has', async () => {
    const { source, readings } = openReadings()
    const ended = pour(await readings.open(), () => new Promise(() => {})).catch((error: unknown) => error)
    await settle()
    await readings.close()
    expect(source.openStreams).toBe(0)
    expect(await ended).toMatchObject({ code: 'ABORTED' })
  })

  test('go on after one that was closed: its end is no fault of the source', async () => {
    const { source, readings } = openReadings()
    source.faults.getBlob = (chunks, _, { signal }) =>
      source.calls.length < 3 ? stall(chunks, signal) : chunks
    for (let attempt = 0; attempt < 2; attempt += 1) {
      void drain(await readings.open())
      await settle()
    }
    expect(await drain(await readings.open())).toEqual({ bytes: content })
    expect(readings.fault).toBeUndefined()
  })

  test('do not take for a fault of the source what the store throws', async () => {
    const { readings } = openReadings()
    const refuse = () => {
      throw new Error('enough')
    }
    await expect(pour(await readings.open(), refuse)).rejects.toThrow('enough')
    expect(readings.fault).toBeUndefined()
    expect(await drain(await readings.open(1024))).toEqual({ bytes: content.subarray(1024) })
  })

  test('are over after a fault of the source, which is remembered', async () => {
    const { source, blob, readings } = openReadings()
    source.blobs.set(blob.digest, bytesOf(5000, 'wrong'))
    const { error } = await drain(await readings.open())
    expect(error).toMatchObject({ code: 'INTEGRITY' })
    expect(readings.fault).toBe(error)
    await expect(readings.open()).rejects.toBe(error)
    expect(source.calls).toHaveLength(1)
  })

  test('end with the group that they belong to', async () => {
    const { source, readings, group } = openReadings()
    source.faults.getBlob = (chunks, _, { signal }) => stall(chunks, signal)
    const ended = drain(await readings.open())
    await settle()
    group.abort(new DrayError('REGISTRY', 'disk full'))
    expect((await ended).error).toMatchObject({ message: 'disk full' })
    expect(source.openStreams).toBe(0)
  })

  test('end at once with a group that has ended already', async () => {
    const { source, readings, group } = openReadings()
    source.faults.getBlob = (chunks, _, { signal }) => stall(chunks, signal)
    group.abort(new DrayError('REGISTRY', 'disk full'))
    expect((await drain(await readings.open())).error).toMatchObject({ message: 'disk full' })
    expect(source.openStreams).toBe(0)
  })

  test.each([
    ['all of it was read', async (readings: BlobReadings) => void (await drain(await readings.open()))],
    ['it was left', async (readings: BlobReadings) => void (await iterated(await readings.open()).next())],
    ['nobody read it', async (readings: BlobReadings) => readings.begin()],
  ])('leave nothing with the group when they are closed after %s', async (_, use) => {
    const { readings, group } = openReadings()
    await use(readings)
    expect(getEventListeners(group.signal, 'abort')).toHaveLength(1)
    await readings.close()
    expect(getEventListeners(group.signal, 'abort')).toEqual([])
  })

  test.each([
    ['is let go when all was read', () => undefined, false],
    ['is ended when the reader has failed', () => Promise.reject(new Error('enough')), true],
  ])('the source %s', async (_, take, isEnded) => {
    const { source, readings } = openReadings()
    const signals: (AbortSignal | undefined)[] = []
    source.faults.getBlob = (chunks, _, { signal }) => {
      signals.push(signal)
      return chunks
    }
    await pour(await readings.open(), take).catch(() => undefined)
    await readings.close()
    expect(signals.map(signal => signal?.aborted)).toEqual([isEnded])
  })

  test.each([
    ['without verification', { verify: false }],
    ['into a store that verifies by itself', { verifiesBlobs: true }],
  ])('%s hand on what comes', async (_, how) => {
    const { source, blob, readings } = openReadings(how)
    const wrong = bytesOf(5000, 'wrong')
    source.blobs.set(blob.digest, wrong)
    expect(await drain(await readings.open())).toEqual({ bytes: wrong })
    expect(await drain(await readings.open(4999))).toEqual({ bytes: wrong.subarray(4999) })
    expect(source.calls).toEqual([`getBlob ${blob.digest} 0`, `getBlob ${blob.digest} 4999`])
  })

  test('with verification withhold the last piece of what is wrong', async () => {
    const { source, blob, readings } = openReadings()
    source.blobs.set(blob.digest, bytesOf(5000, 'wrong'))
    expect((await drain(await readings.open())).bytes).toEqual(bytesOf(5000, 'wrong').subarray(0, 4096))
  })
})

async function* iterated(chunks: Chunks): AsyncGenerator<Uint8Array> {
  yield* chunks
}

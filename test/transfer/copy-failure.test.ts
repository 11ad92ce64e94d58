import { describe, expect, test } from 'vitest'
import { DrayError } from '../../src/errors.ts'
import type { Chunks } from '../../src/flow.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import type { TransferEvent } from '../../src/transfer/events.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { addBlob, addImage, addIndex, bytesOf, instantSleep, settle, stall, stores, tag } from './images.ts'

/** One image with a layer for each length, and a copy of it that is ready to run. */
function imageOf(...lengths: number[]) {
  const { source, destination } = stores()
  const layers = lengths.map(length => addBlob(source, bytesOf(length)))
  const image = addImage(source, { layers })
  tag(source, '1.0', image)
  const { sleep } = instantSleep()
  const options = { source, from: '1.0', destination, tags: ['1.0'], sleep }
  return { source, destination, layers, image, options }
}

function isQuiet(...all: MemoryStore[]): boolean {
  return all.every(({ openStreams, runningPuts }) => openStreams === 0 && runningPuts === 0)
}

async function* breakAfter(chunks: Chunks, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes
  for await (const chunk of chunks) {
    yield chunk.subarray(0, left)
    left -= chunk.length
    if (left <= 0) throw new DrayError('NETWORK', 'connection reset')
  }
}

/** What stores are asked before anything is written; a copy leaves the question for a blob to `putBlob`. */
const questions = [
  { verb: 'resolve' },
  { verb: 'readManifest', atOnce: true },
  { verb: 'getManifest' },
  { verb: 'find 1.0' },
  { verb: 'find sha256' },
  { verb: 'hasBlob', dryRun: true },
]

describe('a source that breaks', () => {
  test('is taken up again at the byte where it broke, within the same upload', async () => {
    const { source, destination, layers, options } = imageOf(5000)
    const events: TransferEvent[] = []
    source.faults.getBlob = (chunks, { size }, { start }) =>
      size === 5000 && start === 0 ? breakAfter(chunks, 1500) : chunks
    const result = await copyImage({ ...options, onEvent: event => void events.push(event) })
    expect(source.callsOf('getBlob').filter(call => call.includes(layers[0]?.digest ?? ''))).toEqual([
      `getBlob ${layers[0]?.digest} 0`,
      `getBlob ${layers[0]?.digest} 1500`,
    ])
    expect(destination.blobs).toEqual(source.blobs)
    const passed = events.map(event =>
      event.type === 'blob-progress' && event.descriptor.size === 5000 ? event.bytes : 0,
    )
    expect(passed.reduce((sum, bytes) => sum + bytes, 0)).toBe(5000)
    expect(events.filter(({ type }) => type === 'retry')).toEqual([
      {
        type: 'retry',
        name: `from.test/app@${layers[0]?.digest}`,
        reason: 'connection reset',
        delayMs: expect.any(Number),
      },
    ])
    expect(events.some(({ type }) => type === 'blob-restarted')).toBe(false)
    expect(result.blobs.copied).toBe(2)
  })

  test('for good ends the copy with what it said, not with what the store made of it', async () => {
    const { source, destination, options } = imageOf(5000)
    const gone = new DrayError('NOT_FOUND', 'the blob is gone')
    source.faults.getBlob = (chunks, { size }) => {
      if (size === 5000) throw gone
      return chunks
    }
    destination.faults.putBlob = async ({ size }, open) => {
      if (size !== 5000) return undefined
      try {
        for await (const _ of await open());
      } catch (cause) {
        throw new DrayError('NETWORK', 'the request ended early', { cause })
      }
      return 'copied'
    }
    await expect(copyImage(options)).rejects.toBe(gone)
  })

  test('for good is not asked again by a store that tries its upload again', async () => {
    const { source, destination, layers, options } = imageOf(5000)
    source.blobs.set(layers[0]?.digest ?? ('' as never), bytesOf(5000, 'wrong'))
    destination.faults.putBlob = async ({ size }, open) => {
      if (size !== 5000) return undefined
      for (let attempt = 0; attempt < 3; attempt++) {
        try {
          for await (const _ of await open());
        } catch {}
      }
      throw new DrayError('NETWORK', 'gave up')
    }
    await expect(copyImage(options)).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(source.callsOf('getBlob').filter(call => call.includes(layers[0]?.digest ?? ''))).toHaveLength(1)
  })

  test.each([
    { what: 'wrong bytes', bytes: bytesOf(5000, 'wrong') },
    { what: 'too few bytes', bytes: bytesOf(4000) },
    { what: 'too many bytes', bytes: bytesOf(6000) },
  ])('with $what never gets a tag or a manifest', async ({ bytes }) => {
    const { source, destination, layers, options } = imageOf(5000)
    source.blobs.set(layers[0]?.digest ?? ('' as never), bytes)
    await expect(copyImage(options)).rejects.toMatchObject({ code: 'INTEGRITY' })
    expect(destination.callsOf('putManifest')).toEqual([])
    expect(destination.blobs.has(layers[0]?.digest ?? ('' as never))).toBe(false)
    expect(isQuiet(source, destination)).toBe(true)
  })
})

describe('a failure', () => {
  test('is thrown as the first true cause after the other transfers have been ended', async () => {
    const { source, destination, options } = imageOf(9000, 8000, 7000, 6000)
    const full = new DrayError('REGISTRY', 'disk full', { status: 507 })
    source.faults.getBlob = (chunks, { size }, { signal }) => (size === 7000 ? chunks : stall(chunks, signal))
    const ended: string[] = []
    destination.faults.putBlob = async ({ size }, open, { signal }) => {
      if (size === 7000) {
        await settle()
        throw full
      }
      try {
        for await (const _ of await open());
      } catch {
        await settle()
        ended.push(`${size} ${signal?.aborted}`)
        throw new DrayError('ABORTED', 'upload cancelled')
      }
      return 'copied'
    }
    await expect(copyImage({ ...options, jobs: 3 })).rejects.toBe(full)
    expect(ended.toSorted()).toEqual(['8000 true', '9000 true'])
    expect(isQuiet(source, destination)).toBe(true)
    expect(destination.callsOf('putBlob')).toHaveLength(3)
    expect(destination.callsOf('putManifest')).toEqual([])
  })

  test('closes a reading that the store left open', async () => {
    const { source, destination, options } = imageOf(5000)
    destination.faults.putBlob = async (_, open) => {
      await (await open())[Symbol.asyncIterator]().next()
      throw new DrayError('NETWORK', 'upload refused')
    }
    await expect(copyImage(options)).rejects.toThrow('upload refused')
    expect(isQuiet(source, destination)).toBe(true)
  })

  test('of an upload that starts again closes the reading that it left open', async () => {
    const { source, destination, options } = imageOf(5000)
    const open: number[] = []
    destination.faults.putBlob = async ({ size }, openContent) => {
      for (let attempt = 0; size === 5000 && attempt < 3; attempt++) {
        await (await openContent())[Symbol.asyncIterator]().next()
        open.push(source.openStreams)
      }
      return undefined
    }
    await copyImage({ ...options, jobs: 1 })
    expect(open).toEqual([1, 1, 1])
  })

  test('of a child manifest leaves the index and its tag unwritten', async () => {
    const { source, destination, options } = imageOf(100)
    const child = addImage(source, { platform: 'linux/amd64' })
    tag(source, '1.0', addIndex(source, [child, addImage(source, { platform: 'linux/arm64' })]))
    destination.faults.putManifest = async ({ digest }) => {
      if (digest === child.digest) throw new DrayError('UNAUTHORIZED', 'denied', { status: 403 })
    }
    await expect(copyImage(options)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(destination.tags.size).toBe(0)
  })

  test.each(questions)('of $verb is thrown and nothing is tagged', async ({ verb, atOnce, dryRun }) => {
    const { source, destination, options } = imageOf(100)
    if (atOnce) source.readsAtOnce()
    const fault = new DrayError('UNAUTHORIZED', 'denied')
    source.faults.ask = destination.faults.ask = async call => {
      if (call.startsWith(verb)) throw fault
    }
    await expect(copyImage({ ...options, dryRun })).rejects.toBe(fault)
    expect(destination.callsOf('putManifest')).toEqual([])
  })
})

describe('an abort by the caller', () => {
  test('ends stalled transfers, waits for them, and throws ABORTED', async () => {
    const { source, destination, options } = imageOf(9000, 8000)
    source.faults.getBlob = (chunks, _, { signal }) => stall(chunks, signal)
    const caller = new AbortController()
    const failed = copyImage({ ...options, signal: caller.signal })
    const outcome = failed.catch(error => ({ error, quiet: isQuiet(source, destination) }))
    await settle()
    expect(source.openStreams).toBe(3)
    caller.abort()
    expect(await outcome).toMatchObject({ error: { name: 'DrayError', code: 'ABORTED' }, quiet: true })
    const calls = [...source.calls, ...destination.calls]
    await settle()
    expect([...source.calls, ...destination.calls]).toEqual(calls)
    expect(destination.callsOf('putManifest')).toEqual([])
  })

  test.each(questions)('during $verb writes nothing', async ({ verb, atOnce, dryRun }) => {
    const { source, destination, options } = imageOf(100)
    if (atOnce) source.readsAtOnce()
    const caller = new AbortController()
    source.faults.ask = destination.faults.ask = async call => {
      if (call.startsWith(verb)) caller.abort()
    }
    const failed = copyImage({ ...options, dryRun, signal: caller.signal })
    await expect(failed).rejects.toMatchObject({ code: 'ABORTED' })
    expect(destination.callsOf()).toEqual([])
  })

  test('after the last blob writes no manifest', async () => {
    const { destination, options } = imageOf(100)
    const caller = new AbortController()
    const onEvent = ({ type }: TransferEvent) => {
      if (type === 'blob-done' && destination.blobs.size === 2) caller.abort()
    }
    const failed = copyImage({ ...options, onEvent, signal: caller.signal })
    await expect(failed).rejects.toMatchObject({ code: 'ABORTED' })
    expect(destination.callsOf('putManifest')).toEqual([])
  })

  test('that comes while the tag is written does not hide that it was', async () => {
    const { destination, image, options } = imageOf(100)
    const caller = new AbortController()
    destination.faults.putManifest = async () => caller.abort()
    expect(await copyImage({ ...options, signal: caller.signal })).toMatchObject({ digest: image.digest })
    expect(destination.tags.get('1.0')).toBe(image.digest)
  })

  test('leaves no listener on its signal', async () => {
    const { options } = imageOf(100)
    const { signal } = new AbortController()
    let listeners = 0
    const { addEventListener, removeEventListener } = signal
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1
      addEventListener.apply(signal, args)
    }
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1
      removeEventListener.apply(signal, args)
    }
    await copyImage({ ...options, signal })
    expect(listeners).toBe(0)
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isDrayError } from '../../src/errors.ts'
import { createTransport } from '../../src/http/send.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { collect } from '../../src/oci/content.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { Registry } from '../../src/registry/registry.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type Fault, type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { patience } from './dray.ts'

/** Layers of a few buffers with ends that are not even, beside a config of some bytes. */
const layerSizes = [3 * 65_536 + 1, 65_536]
const timeoutMs = 250
const retries = 2

/** Something that goes wrong behind so many bytes of a body. */
type FaultAt = (bytes: number) => Fault

const downloads: readonly (readonly [string, FaultAt])[] = [
  ['is cut', afterBytes => ({ kind: 'cut', afterBytes })],
  ['ends early', afterBytes => ({ kind: 'truncate', afterBytes })],
  ['stalls', afterBytes => ({ kind: 'stall', afterBytes })],
  ['is corrupt', atByte => ({ kind: 'corrupt', atByte })],
]
const uploads: readonly (readonly [string, FaultAt])[] = [
  ['is cut', afterBytes => ({ kind: 'cut-upload', afterBytes })],
  ['stalls', afterBytes => ({ kind: 'stall-upload', afterBytes })],
  ['is corrupt', atByte => ({ kind: 'corrupt-upload', atByte })],
]

/** The ends of a body, the bytes beside them, the seams of the buffers that it comes in, and the middle. */
function positions({ size }: Descriptor): readonly number[] {
  const wanted = [0, 1, size >> 1, 65_535, 65_536, 65_537, size - 1]
  return [...new Set(wanted)].filter(at => at < size)
}

describe('a copy between two registries over bad roads', patience, () => {
  const opened = new AsyncDisposableStack()
  let layout: GeneratedLayout
  let registry: EmbeddedRegistry
  let from: FaultyProxy
  let to: FaultyProxy
  let blobs: readonly Descriptor[]
  let count = 0

  beforeAll(async () => {
    layout = opened.use(await generateLayout(...layerSizes))
    registry = opened.use(await startEmbeddedRegistry())
    from = opened.use(await startFaultyProxy(`http://${registry.host}`))
    to = opened.use(await startFaultyProxy(`http://${registry.host}`))
    const { content, kind } = layout.manifest
    blobs = [...layout.layers, ...(kind === 'image' ? [content.config] : [])]
    await using direct = connect(registry.host, 'source')
    const source = await openLayout(layout.path)
    await copyImage({ source, from: 'big', destination: direct.repository, tags: ['big'] })
  })
  afterAll(() => opened.disposeAsync())

  /** Copies to a repository of its own. Whatever comes of it, it is right, or nothing is tagged. */
  async function copy(): Promise<{ readonly code: string; readonly name: string }> {
    const name = `copy-${++count}`
    await using source = connect(from.host, 'source')
    await using destination = connect(to.host, name)
    const code = await copyImage({
      source: source.repository,
      from: 'big',
      destination: destination.repository,
      tags: ['big'],
      retries,
      sleep: async () => {},
    }).then(
      () => 'done',
      error => (isDrayError(error) ? error.code : Promise.reject(error)),
    )
    await using direct = connect(registry.host, name)
    const found = await direct.repository.find('big')
    if (code !== 'done') expect(found).toBeUndefined()
    else await expectWhole(direct.repository, found)
    return { code, name }
  }

  async function expectWhole(repository: Repository, found: Descriptor | undefined): Promise<void> {
    expect(found?.digest).toBe(layout.manifest.digest)
    for (const blob of blobs) {
      const bytes = await collect(await repository.getBlob(blob), blob.size, 'blob')
      expect(bytes.length).toBe(blob.size)
    }
  }

  const pathOf = ({ digest }: Descriptor) => new RegExp(`/blobs/${digest}$`)

  describe.each(downloads)('a download that %s', (_, faultAt) => {
    it('once, at any byte of any blob, arrives all the same or ends as INTEGRITY', async () => {
      for (const blob of blobs) {
        for (const at of positions(blob)) {
          const fault = faultAt(at)
          const before = from.requests.length
          from.spoil({ method: 'GET', path: pathOf(blob), fault })
          const { code } = await copy()
          // What ends in good order without a byte is no broken line.
          const isWrong = fault.kind === 'corrupt' || (fault.kind === 'truncate' && at === 0)
          expect(`${at}: ${code}`).toBe(`${at}: ${isWrong ? 'INTEGRITY' : 'done'}`)
          if (isWrong) continue
          const requests = from.requests.slice(before).filter(({ path }) => pathOf(blob).test(path))
          expect(requests.reduce((sum, { sent }) => sum + sent, 0)).toBe(blob.size)
        }
      }
    })

    it('again and again ends as a fault of the network or INTEGRITY', async () => {
      for (const blob of blobs) {
        const rule = { method: 'GET', path: pathOf(blob), times: 3 * (retries + 1) }
        const proxy = await startFaultyProxy(`http://${registry.host}`)
        const usual = from
        from = proxy
        proxy.spoil({ ...rule, fault: faultAt(0) })
        const { code } = await copy()
        expect(['NETWORK', 'TIMEOUT', 'INTEGRITY']).toContain(code)
        from = usual
        await proxy.stop()
      }
    })

    it('on its way into a layout, does not get into it', async () => {
      for (const blob of blobs) {
        const fault = faultAt(blob.size >> 1)
        await using folder = await makeTempDir()
        await using source = connect(from.host, 'source')
        from.spoil({ method: 'GET', path: pathOf(blob), fault })
        const destination = await openLayout(folder.path, { create: true })
        const copied = copyImage({
          source: source.repository,
          from: 'big',
          destination,
          tags: ['big'],
          retries,
          sleep: async () => {},
        })
        if (fault.kind === 'corrupt') {
          await expect(copied).rejects.toMatchObject({ code: 'INTEGRITY' })
          expect(await destination.find('big')).toBeUndefined()
          expect(await destination.hasBlob(blob)).toBe(false)
        } else {
          await copied
          for (const each of blobs) await collect(await destination.getBlob(each), each.size, 'blob')
        }
      }
    })
  })

  describe.each(uploads)('an upload that %s', (_, faultAt) => {
    it('once, at any byte of any blob, arrives all the same or is refused', async () => {
      for (const size of new Set(blobs.map(blob => blob.size))) {
        for (const at of positions({ size } as Descriptor)) {
          const fault = faultAt(at)
          to.spoil({ method: 'PUT', path: /\/blobs\/uploads\//, fault })
          const { code } = await copy()
          const refused = fault.kind === 'corrupt-upload' ? ['REGISTRY', 'INTEGRITY'] : []
          expect({ at, size, code }).toEqual({ at, size, code: expect.toBeOneOf(['done', ...refused]) })
        }
      }
    })

    it('again and again ends as a fault of the network, or as one of the registry', async () => {
      const proxy = await startFaultyProxy(`http://${registry.host}`)
      const usual = to
      to = proxy
      proxy.spoil({ method: 'PUT', path: /\/blobs\/uploads\//, times: 100, fault: faultAt(1) })
      proxy.spoil({ method: 'PATCH', times: 100, fault: faultAt(1) })
      const { code } = await copy()
      expect(['NETWORK', 'TIMEOUT', 'REGISTRY', 'INTEGRITY']).toContain(code)
      to = usual
      await proxy.stop()
    })
  })

  it.each(['cut', 'truncate', 'stall', 'corrupt'] as const)(
    'a manifest that is spoiled (%s) is not taken',
    async kind => {
      const fault: Fault = kind === 'corrupt' ? { kind, atByte: 40 } : { kind, afterBytes: 40 }
      from.spoil({ method: 'GET', path: /\/manifests\//, times: 9, fault })
      const { code } = await copy()
      expect(['NETWORK', 'TIMEOUT', 'INTEGRITY']).toContain(code)
      from.spoil({ method: 'GET', path: /never/, fault })
    },
  )
})

interface Connected extends AsyncDisposable {
  readonly repository: Repository
}

/** A repository over a way of its own, which is given up after short waits. */
function connect(host: string, name: string): Connected {
  const transport = createTransport({ timeoutMs })
  const registry = new Registry({
    registry: host,
    send: transport.send,
    retryPolicy: { retries, baseMs: 1, maxMs: 5 },
  })
  return {
    repository: registry.repository(name, 'pull,push'),
    [Symbol.asyncDispose]: () => transport.close(),
  }
}

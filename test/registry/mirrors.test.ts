import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createTransport } from '../../src/http/send.ts'
import type { ImageDestination } from '../../src/image-store.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { collect } from '../../src/oci/content.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import type { RegistryEvent } from '../../src/registry/context.ts'
import type { Mirror } from '../../src/registry/mirrors.ts'
import { Registry } from '../../src/registry/registry.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { fakeSend } from '../support/fake-send.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { MemoryStore } from '../support/memory-store.ts'
import {
  chunksOf,
  type SampleImage,
  sampleBlob,
  sampleImage,
  sampleManifest,
} from '../support/sample-image.ts'
import { makeTempDir } from '../support/temp-dir.ts'

/** A registry with an observer in front of it. */
interface Site {
  readonly registry: EmbeddedRegistry
  readonly front: FaultyProxy
  readonly client: Registry
  /** `GET manifests/1.0` of each request about content, digests cut short. */
  readonly asked: string[]
}

const small = sampleImage('mirrored')
/** More than is verified before it is given out. */
const large: SampleImage = (() => {
  const layer = sampleBlob(Buffer.alloc(3 * 1024 * 1024, 'layer '), 'application/vnd.oci.image.layer.v1.tar')
  const config = sampleBlob('{}', mediaTypes.ociConfig)
  const layers = [layer.descriptor]
  const manifest = sampleManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers,
  })
  return { config, layer, manifest }
})()

describe('with mirrors in front of it, a repository', () => {
  let opened: AsyncDisposableStack
  let upstream: Site
  let mirror: Site
  let other: Site
  let warnings: string[]

  beforeEach(async () => {
    opened = new AsyncDisposableStack()
    warnings = []
    const sites = await Promise.all([openSite(), openSite(), openSite()])
    upstream = sites[0]
    mirror = sites[1]
    other = sites[2]
  })
  afterEach(() => opened.disposeAsync())

  async function openSite(): Promise<Site> {
    const registry = opened.use(await startEmbeddedRegistry())
    const front = opened.use(await startFaultyProxy(`http://${registry.host}`))
    const transport = createTransport()
    opened.defer(() => transport.close())
    const onEvent = (event: RegistryEvent) => {
      if (event.type === 'warning') warnings.push(event.message)
    }
    const client = new Registry({
      registry: front.host,
      send: transport.send,
      clock: fakeClock(),
      retryPolicy: { retries: 0 },
      onEvent,
    })
    return {
      registry,
      front,
      client,
      get asked() {
        return front.requests.map(({ method, path }) =>
          `${method} ${path.replace('/v2/', '')}`.replace(/sha256:(.{7}).*/, '$1'),
        )
      },
    }
  }

  function mirrorAt(site: Site, pullFrom?: Mirror['pullFrom']): Mirror {
    const name = `${site.front.host}/cached/app`
    return { name, pullFrom, open: async () => site.client.repository('cached/app') }
  }

  function repository(...mirrors: readonly (Mirror | Site)[]): Repository {
    const list = mirrors.map(one => ('open' in one ? one : mirrorAt(one)))
    return upstream.client.repository('app', 'pull', { mirrors: list })
  }

  const short = ({ digest }: { readonly digest: string }) => digest.slice(7, 14)

  async function read(store: Repository, descriptor: Descriptor): Promise<Buffer> {
    return collect(await store.getBlob(descriptor), descriptor.size, 'a blob')
  }

  it('reads from the first alone what that has', async () => {
    await mirror.registry.putImage('cached/app', small, '1.0')
    const store = repository(mirror, other)
    expect(await store.resolve('1.0')).toMatchObject({ digest: small.manifest.digest })
    expect((await store.readManifest('1.0')).bytes).toEqual(small.manifest.bytes)
    expect((await store.getManifest(await store.resolve('1.0'))).bytes).toEqual(small.manifest.bytes)
    expect(await store.findBlob(small.layer.descriptor.digest)).toMatchObject({
      size: small.layer.descriptor.size,
    })
    expect(await read(store, small.layer.descriptor)).toEqual(small.layer.bytes)
    expect(mirror.asked).toEqual([
      'HEAD cached/app/manifests/1.0',
      'GET cached/app/manifests/1.0',
      'HEAD cached/app/manifests/1.0',
      `GET cached/app/manifests/${short(small.manifest)}`,
      `HEAD cached/app/blobs/${short(small.layer.descriptor)}`,
      `GET cached/app/blobs/${short(small.layer.descriptor)}`,
    ])
    expect([upstream.asked, other.asked, warnings]).toEqual([[], [], []])
  })

  it('asks the next, and itself last, for what one does not have, without a word', async () => {
    await upstream.registry.putImage('app', small, '1.0')
    const store = repository(mirror, other)
    expect((await store.readManifest('1.0')).bytes).toEqual(small.manifest.bytes)
    expect(await read(store, small.layer.descriptor)).toEqual(small.layer.bytes)
    expect(await store.findBlob(small.layer.descriptor.digest)).toBeDefined()
    expect(mirror.asked).toHaveLength(3)
    expect(other.asked).toEqual(mirror.asked)
    expect(upstream.asked).toEqual(mirror.asked.map(line => line.replace('cached/app', 'app')))
    expect(warnings).toEqual([])
  })

  it('tells its own error when nobody has it', async () => {
    await expect(repository(mirror).resolve('1.0')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(`${upstream.front.host}/app:1.0`),
    })
  })

  it.each([401, 403, 429, 500])('leaves one out that answers %d, and says so once', async status => {
    await upstream.registry.putImage('app', small, '1.0')
    mirror.front.spoil({ fault: { kind: 'answer', status }, times: 9 })
    const store = repository(mirror)
    await store.resolve('1.0')
    const { length } = mirror.asked
    expect(await read(store, small.layer.descriptor)).toEqual(small.layer.bytes)
    expect(mirror.asked).toHaveLength(length)
    expect(warnings).toEqual([
      expect.stringMatching(new RegExp(`^the mirror ${mirror.front.host}/cached/app failed: .*\\(${status}`)),
    ])
  })

  it('leaves one out that is down, or cannot be opened', async () => {
    await upstream.registry.putImage('app', small, '1.0')
    await mirror.front.stop()
    const fault = new Error('a bug')
    const store = repository(mirror)
    expect((await store.readManifest('1.0')).bytes).toEqual(small.manifest.bytes)
    expect(warnings).toEqual([expect.stringContaining('connection refused; going on without it')])
    const broken = repository({ name: 'broken', open: () => Promise.reject(fault) })
    await expect(broken.resolve('1.0')).rejects.toBe(fault)
  })

  it('reads a manifest elsewhere that is another one there, and goes on asking for other content', async () => {
    await upstream.registry.putImage('app', small, '1.0')
    await mirror.registry.putImage('cached/app', small, '1.0')
    mirror.front.spoil({ method: 'GET', path: /manifests/, fault: { kind: 'corrupt', atByte: 9 }, times: 9 })
    const store = repository(mirror)
    const manifest = await store.getManifest(await store.resolve('1.0'))
    expect(manifest.bytes).toEqual(small.manifest.bytes)
    expect(await store.getManifest(await store.resolve('1.0'))).toMatchObject({ bytes: manifest.bytes })
    expect(mirror.asked.filter(line => line.startsWith('GET'))).toHaveLength(1)
    await read(store, small.layer.descriptor)
    expect(upstream.asked).toEqual(Array(2).fill(`GET app/manifests/${short(small.manifest)}`))
    expect(warnings).toHaveLength(1)
  })

  it('gives out nothing of a small blob that is another one there', async () => {
    await upstream.registry.putImage('app', small, '1.0')
    await mirror.registry.putImage('cached/app', small, '1.0')
    const fault = { kind: 'corrupt', atByte: 0 } as const
    mirror.front.spoil({ method: 'GET', path: /blobs/, fault })
    expect(await read(repository(mirror), small.layer.descriptor)).toEqual(small.layer.bytes)
    expect(upstream.asked).toEqual([`GET app/blobs/${short(small.layer.descriptor)}`])
    expect(warnings).toHaveLength(1)
  })

  it('asks nobody else when the reading is ended', async () => {
    await upstream.registry.putImage('app', large, '1.0')
    await mirror.registry.putImage('cached/app', large, '1.0')
    mirror.front.spoil({ fault: { kind: 'stall', afterBytes: 10 } })
    const abort = new AbortController()
    const signal = abort.signal
    const content = await repository(mirror).getBlob(large.layer.descriptor, { start: 0, signal })
    const reading = collect(content, large.layer.descriptor.size, 'a blob')
    abort.abort()
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' })
    expect([upstream.asked, warnings]).toEqual([[], []])
  })

  it('looks for a tag itself where a mirror is for digests, which that has', async () => {
    await upstream.registry.putImage('app', small, '1.0')
    await mirror.registry.putImage('cached/app', small, '1.0')
    const store = repository(mirrorAt(mirror, 'digests'))
    await store.getManifest(await store.resolve('1.0'))
    await read(store, small.layer.descriptor)
    expect(upstream.asked).toEqual(['HEAD app/manifests/1.0'])
    expect(mirror.asked).toHaveLength(2)
  })

  it('is itself asked for all that is no reading', async () => {
    await mirror.registry.putImage('cached/app', small, '1.0')
    const store = repository(mirror)
    const { manifest, layer, config } = small
    expect(await store.find('1.0')).toBeUndefined()
    expect(await store.hasBlob(layer.descriptor)).toBe(false)
    for (const { descriptor, bytes } of [layer, config]) {
      await store.putBlob(descriptor, async () => chunksOf(bytes))
    }
    await store.putManifest(manifest, ['1.0'])
    const tags = store.tags()
    expect(await tags.next()).toMatchObject({ value: '1.0' })
    await store.delete(manifest.digest)
    expect(mirror.asked).toEqual([])
  })

  describe('is copied', () => {
    /** A store of the memory takes no blob that is another. */
    const copy = (store: Repository, destination: ImageDestination) => {
      const restarts: number[] = []
      const onEvent = (event: { readonly type: string; readonly start?: number }) => {
        if (event.type === 'blob-restarted') restarts.push(event.start ?? -1)
      }
      const sleep = async () => undefined
      return copyImage({ source: store, from: '1.0', destination, tags: ['1.0'], onEvent, sleep }).then(
        result => ({ result, restarts }),
      )
    }

    beforeEach(async () => {
      await upstream.registry.putImage('app', large, '1.0')
      await mirror.registry.putImage('cached/app', large, '1.0')
    })

    it.each(['cut', 'truncate'] as const)(
      'from itself from the byte on where a mirror’s blob ends (%s)',
      async kind => {
        const half = { kind, afterBytes: 2_000_000 }
        mirror.front.spoil({ path: new RegExp(large.layer.descriptor.digest), fault: half })
        const destination = new MemoryStore('to.test/app')
        await copy(repository(mirror), destination)
        expect(destination.blobs.has(large.layer.descriptor.digest)).toBe(true)
        const [request, ...more] = upstream.front.requests
        expect(more).toEqual([])
        expect(request?.headers.range).toMatch(/^bytes=[1-9]\d*-$/)
      },
    )

    it.each(['a registry', 'a layout'])(
      'from itself from the start where a mirror’s blob turns out to be another, into %s',
      async kind => {
        mirror.front.spoil({
          path: new RegExp(large.layer.descriptor.digest),
          fault: { kind: 'corrupt', atByte: 100 },
        })
        const folder = opened.use(await makeTempDir())
        const destination =
          kind === 'a layout'
            ? await openLayout(folder.path, { create: true })
            : other.client.repository('app', 'pull,push')
        const { restarts } = await copy(repository(mirror), destination)
        expect(await destination.hasBlob(large.layer.descriptor)).toBe(true)
        expect(restarts).toEqual([0])
        expect(warnings).toEqual([expect.stringContaining('is something else; going on without it')])
        expect(upstream.asked).toEqual([`GET app/blobs/${short(large.layer.descriptor)}`])
      },
    )

    it('not at all when its own blob is another too', async () => {
      const rule = {
        path: new RegExp(large.layer.descriptor.digest),
        fault: { kind: 'corrupt', atByte: 100 },
        times: 9,
      } as const
      mirror.front.spoil(rule)
      upstream.front.spoil(rule)
      const copying = copy(repository(mirror), new MemoryStore('to.test/app'))
      await expect(copying).rejects.toMatchObject({ code: 'INTEGRITY' })
      expect(upstream.asked).toHaveLength(1)
    })

    it('within itself with what only a mirror has', async () => {
      await mirror.registry.putImage('cached/app', small, '2.0')
      const source = repository(mirror)
      const destination = upstream.client.repository('app', 'pull,push')
      await copyImage({ source, from: '2.0', destination, tags: ['2.0'] })
      const own = await upstream.registry.ask('GET', `/v2/app/blobs/${small.layer.descriptor.digest}`)
      expect(own.body).toEqual(small.layer.bytes)
    })
  })
})

it('reading costs nothing at Docker Hub where a mirror that knows tags stands in front', () => {
  const hub = new Registry({ registry: 'docker.io', send: fakeSend([]).send })
  const open = async () => hub.repository('library/alpine')
  const metered = (...mirrors: readonly Mirror[]) =>
    hub.repository('library/alpine', 'pull', { mirrors }).metersReads
  expect(metered()).toBe(true)
  expect(metered({ name: 'm', open, pullFrom: 'digests' })).toBe(true)
  expect(metered({ name: 'm', open })).toBe(false)
})

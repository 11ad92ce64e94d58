import { describe, expect, it } from 'vitest'
import { type DiffEnd, type DiffOptions, diffImages } from '../../src/diff/diff-images.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { formatPlatform, hostPlatform, parsePlatform } from '../../src/oci/platform.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { addAttestation, addBlob, addImage, addIndex, addManifest, tag } from '../transfer/images.ts'
import { addLayered, layerOf, packed, type TestImage } from '../validate/layered-image.ts'

const base = await layerOf(
  { name: 'etc/', type: 'directory' },
  { name: 'etc/passwd', text: 'root' },
  { name: 'etc/motd', text: 'hello', mode: 0o644 },
  { name: 'bin/sh', type: 'symlink', linkname: 'bash' },
  { name: 'bin/bash', text: 'bash', mode: 0o755 },
)
const top = await layerOf(
  { name: 'etc/.wh.passwd' },
  { name: 'etc/motd', text: 'hello', mode: 0o600, uid: 7 },
  { name: 'bin/sh', type: 'symlink', linkname: 'dash' },
  { name: 'bin/bash', text: 'BASH', mode: 0o755 },
  { name: 'srv/new', text: 'new' },
)
const runs = {
  User: 'app',
  Env: ['PATH=/bin', 'A=1=2', 'EMPTY='],
  Cmd: ['run'],
  Labels: { a: '1' },
  ExposedPorts: { '80/tcp': {} },
}

type Build = (store: MemoryStore) => Descriptor

interface Ends {
  readonly from: Build
  readonly to: Build
  readonly options?: Partial<DiffOptions>
  readonly platforms?: readonly [string?, string?]
}

async function diff({ from, to, options, platforms = [] }: Ends) {
  const sources = [new MemoryStore('from.test/app'), new MemoryStore('to.test/app')] as const
  const end = (at: 0 | 1, build: Build): DiffEnd => {
    tag(sources[at], '1.0', build(sources[at]))
    const platform = platforms[at]
    return {
      source: sources[at],
      reference: '1.0',
      platform: platform === undefined ? undefined : parsePlatform(platform),
    }
  }
  const result = await diffImages({ from: end(0, from), to: end(1, to), ...options })
  return { ...result, calls: sources.map(({ calls }) => calls) }
}

const image =
  (parts: Partial<TestImage>): Build =>
  store =>
    addLayered(store, { layers: [base], ...parts })

describe('two images of one digest', () => {
  it('are identical after one question to each end', async () => {
    const { calls, ...result } = await diff({ from: image({}), to: image({}), options: { files: true } })
    const { digest } = image({})(new MemoryStore('x'))
    const end = { digest, mediaType: mediaTypes.ociManifest, imageDigest: digest, platform: null }
    expect(calls).toEqual([['resolve 1.0'], ['resolve 1.0']])
    expect(result).toEqual({
      identical: true,
      from: end,
      to: end,
      platforms: [],
      index: [],
      fields: [],
      history: [],
      layers: [],
      bytes: { shared: 0, added: 0, removed: 0 },
      files: [],
    })
  })

  it('are not, where other platforms of them are compared', async () => {
    const two: Build = store =>
      addIndex(store, [
        addLayered(store, { layers: [base] }),
        addLayered(store, { layers: [base], platform: 'linux/arm64' }),
      ])
    const result = await diff({ from: two, to: two, platforms: ['linux/amd64', 'linux/arm64'] })
    expect(result).toMatchObject({
      identical: false,
      from: { platform: 'linux/amd64' },
      to: { platform: 'linux/arm64' },
      platforms: [],
      fields: [{ name: 'architecture', kind: 'changed', from: 'amd64', to: 'arm64' }],
    })
    expect(await diff({ from: two, to: two, platforms: ['linux/arm64', 'linux/arm64'] })).toMatchObject({
      identical: true,
    })
  })
})

describe('the fields of two images', () => {
  it.each<[string, Partial<TestImage>, Partial<TestImage>, object[]]>([
    [
      'of the environment are told by their names, whatever their order',
      { config: { config: runs } },
      { config: { config: { ...runs, Env: ['NEW=', 'A=1=3', 'PATH=/bin'] } } },
      [
        { name: 'env.A', kind: 'changed', from: '1=2', to: '1=3' },
        { name: 'env.EMPTY', kind: 'removed', from: '', to: null },
        { name: 'env.NEW', kind: 'added', from: null, to: '' },
      ],
    ],
    [
      'of the configuration are told by what people call them',
      { config: { config: runs, author: 'me' } },
      {
        config: {
          config: {
            ...runs,
            User: '',
            Cmd: ['run', '-x'],
            WorkingDir: '/srv',
            Labels: { a: '2', b: '' },
            ExposedPorts: { '81/tcp': {} },
            Volumes: { '/data': {} },
            Entrypoint: ['sh'],
            Healthcheck: { Test: ['NONE'] },
          },
          created: '2025-01-01T00:00:00Z',
        },
      },
      [
        { name: 'created', kind: 'changed', from: '2024-01-02T03:04:05Z', to: '2025-01-01T00:00:00Z' },
        { name: 'author', kind: 'removed', from: 'me', to: null },
        { name: 'user', kind: 'removed', from: 'app', to: null },
        { name: 'ports.80/tcp', kind: 'removed', from: true, to: null },
        { name: 'cmd', kind: 'changed', from: ['run'], to: ['run', '-x'] },
        { name: 'labels.a', kind: 'changed', from: '1', to: '2' },
        { name: 'ports.81/tcp', kind: 'added', from: null, to: true },
        { name: 'entrypoint', kind: 'added', from: null, to: ['sh'] },
        { name: 'volumes./data', kind: 'added', from: null, to: true },
        { name: 'workdir', kind: 'added', from: null, to: '/srv' },
        { name: 'labels.b', kind: 'added', from: null, to: '' },
        { name: 'healthcheck', kind: 'added', from: null, to: { Test: ['NONE'] } },
      ],
    ],
    [
      'of the manifests are told too',
      { manifest: { annotations: { a: '1' } } },
      {
        manifest: {
          annotations: { b: '1' },
          artifactType: 'application/x',
          mediaType: mediaTypes.dockerManifest,
        },
      },
      [
        { name: 'mediaType', kind: 'changed', from: mediaTypes.ociManifest, to: mediaTypes.dockerManifest },
        { name: 'annotations.a', kind: 'removed', from: '1', to: null },
        { name: 'artifactType', kind: 'added', from: null, to: 'application/x' },
        { name: 'annotations.b', kind: 'added', from: null, to: '1' },
      ],
    ],
    [
      'that are empty in one and absent in the other are the same',
      { config: { config: { Cmd: null, Labels: {} }, author: '' } },
      {},
      [],
    ],
  ])('%s', async (_, from, to, fields) => {
    const result = await diff({ from: image(from), to: image(to) })
    expect(result.fields).toEqual(fields)
    expect(result).toMatchObject({ identical: false, layers: [{ kind: 'same' }], files: null })
  })

  it('of artifacts are those of their manifests', async () => {
    const artifact =
      (text: string): Build =>
      store =>
        addManifest(store, {
          schemaVersion: 2,
          mediaType: mediaTypes.ociManifest,
          config: addBlob(store, text, 'application/x'),
          layers: [addBlob(store, text)],
        })
    const result = await diff({ from: artifact('one'), to: artifact('other') })
    expect(result.fields).toEqual([
      { name: 'config.digest', kind: 'changed', from: digestOf('one'), to: digestOf('other') },
    ])
    expect(result.layers.map(({ kind }) => kind)).toEqual(['removed', 'added'])
  })
})

describe('the layers of two images', () => {
  it.each<[string, string, string, string[]]>([
    ['all shared', 'ab', 'ab', ['same 0 0', 'same 1 1']],
    ['one more', 'ab', 'abc', ['same 0 0', 'same 1 1', 'added - 2']],
    ['one less', 'ab', 'a', ['same 0 0', 'removed 1 -']],
    ['another base', 'ac', 'bc', ['removed 0 -', 'added - 0', 'same 1 1']],
    ['the same twice in one', 'a', 'aa', ['same 0 0', 'added - 1']],
    ['in another order', 'ab', 'ba', ['same 0 1', 'same 1 0']],
    ['nothing in common', 'a', 'b', ['removed 0 -', 'added - 0']],
    ['none', '', '', []],
  ])('are side by side: %s', async (_, from, to, rows) => {
    const build =
      (letters: string, author: string): Build =>
      store =>
        addImage(store, {
          config: { author },
          layers: [...letters].map(letter => addBlob(store, letter.repeat(10))),
        })
    const { layers, bytes } = await diff({ from: build(from, 'x'), to: build(to, 'y') })
    expect(layers.map(({ kind, from, to }) => `${kind} ${from ?? '-'} ${to ?? '-'}`)).toEqual(rows)
    const count = (kind: string) => 10 * rows.filter(row => row.startsWith(kind)).length
    expect(bytes).toEqual({ shared: count('same'), added: count('added'), removed: count('removed') })
  })

  it('have a history, of which the steps in the middle are told', async () => {
    const steps = (...names: string[]) => ({
      history: names.map(created_by => ({ created_by, created: new Date().toISOString() })),
    })
    const { history } = await diff({
      from: image({ config: steps('base', 'old', 'end') }),
      to: image({
        config: {
          history: [
            ...steps('base', 'new').history,
            { created_by: 'more', empty_layer: true },
            { created_by: 'end' },
          ],
        },
      }),
    })
    expect(history).toEqual([
      { kind: 'removed', createdBy: 'old', emptyLayer: false },
      { kind: 'added', createdBy: 'new', emptyLayer: false },
      { kind: 'added', createdBy: 'more', emptyLayer: true },
    ])
  })
})

describe('two indexes', () => {
  const index =
    (author: string, platforms: readonly string[], more: object = {}): Build =>
    store => {
      const entries = platforms.map(platform => {
        const config = platform === 'linux/386' ? {} : { author }
        return addLayered(store, { layers: [base], platform, config })
      })
      return addIndex(store, entries, more)
    }

  it('are compared platform by platform, and in one image', async () => {
    const from = index('one', ['linux/386', 'linux/s390x', 'linux/arm/v7'])
    const to = index('other', ['linux/arm/v7', 'linux/386', 'linux/s390x', 'linux/riscv64'], {
      annotations: { a: '1' },
    })
    const result = await diff({ from, to: store => to(store) })
    expect(result.platforms.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'changed linux/s390x',
      'changed linux/arm/v7',
      'added linux/riscv64',
    ])
    expect(result.index).toEqual([{ name: 'annotations.a', kind: 'added', from: null, to: '1' }])
    expect(result).toMatchObject({
      identical: false,
      fields: [],
      from: { platform: 'linux/386' },
      to: { platform: 'linux/386' },
    })
    expect(result.from.imageDigest).toBe(result.to.imageDigest)
  })

  it("are compared in this machine's image where both have it, else in one that both have", async () => {
    const host = formatPlatform(hostPlatform())
    const has = await diff({ from: index('a', ['linux/386', host]), to: index('b', [host, 'linux/386']) })
    expect([has.from.platform, has.to.platform]).toEqual([host, host])
    const both = await diff({
      from: index('a', [host, 'linux/s390x']),
      to: index('b', ['linux/386', 'linux/s390x']),
    })
    expect([both.from.platform, both.to.platform]).toEqual(['linux/s390x', 'linux/s390x'])
    const none = await diff({ from: index('a', ['linux/s390x']), to: index('b', ['linux/386']) })
    expect([none.from.platform, none.to.platform]).toEqual(['linux/s390x', 'linux/386'])
  })

  it('are compared with an image in the platform that it has', async () => {
    const result = await diff({
      from: image({ platform: 'linux/s390x' }),
      to: index('b', ['linux/amd64', 'linux/s390x']),
    })
    expect(result).toMatchObject({ from: { platform: null }, to: { platform: 'linux/s390x' } })
    expect(result.platforms.map(({ kind }) => kind)).toEqual(['added', 'added'])
    expect(result.fields).toEqual([{ name: 'author', kind: 'added', from: null, to: 'b' }])
  })

  it('name their attestations, and images of which there are several', async () => {
    const build =
      (author: string): Build =>
      store => {
        const amd64 = addLayered(store, { layers: [base], config: { author } })
        return addIndex(store, [
          amd64,
          { ...addImage(store, { config: { author } }), platform: amd64.platform },
          addAttestation(store, amd64),
        ])
      }
    const { platforms } = await diff({ from: build('one'), to: build('other') })
    expect(platforms.map(({ name }) => name)).toEqual([
      'linux/amd64',
      'linux/amd64 (2)',
      'attestation of linux/amd64',
    ])
  })

  it('of which one lacks the platform that is asked for are an error', async () => {
    const ends = { from: index('a', ['linux/386']), to: index('b', ['linux/amd64']) }
    await expect(diff({ ...ends, platforms: ['linux/386', 'linux/386'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    })
  })

  it('are not different where only the images around the wanted one are', async () => {
    const ends = {
      from: index('a', ['linux/386', 'linux/amd64']),
      to: index('b', ['linux/386', 'linux/amd64']),
    }
    const same = await diff({ ...ends, platforms: ['linux/386', 'linux/386'] })
    expect(same).toMatchObject({ identical: true, platforms: [], fields: [], layers: [] })
    expect((await diff(ends)).identical).toBe(false)
  })
})

describe('the files of two images', () => {
  it('are told with all that is another', async () => {
    const { files } = await diff({
      from: image({}),
      to: image({ layers: [base, top] }),
      options: { files: true },
    })
    const file = { type: 'file', mode: 0o644, uid: 0, gid: 0, target: null, device: null }
    const hashed = (text: string) => ({ size: text.length, digest: digestOf(text) })
    const link = { type: 'symlink', mode: 0o777, uid: 0, gid: 0, size: 0, digest: null, device: null }
    expect(files).toEqual([
      {
        name: 'bin/bash',
        kind: 'changed',
        from: { ...file, mode: 0o755, ...hashed('bash') },
        to: { ...file, mode: 0o755, ...hashed('BASH') },
        aspects: ['content'],
      },
      {
        name: 'bin/sh',
        kind: 'changed',
        from: { ...link, target: 'bash' },
        to: { ...link, target: 'dash' },
        aspects: ['target'],
      },
      {
        name: 'etc/motd',
        kind: 'changed',
        from: { ...file, ...hashed('hello') },
        to: { ...file, mode: 0o600, uid: 7, ...hashed('hello') },
        aspects: ['mode', 'owner'],
      },
      { name: 'etc/passwd', kind: 'removed', from: { ...file, ...hashed('root') }, to: null, aspects: [] },
      { name: 'srv/new', kind: 'added', from: null, to: { ...file, ...hashed('new') }, aspects: [] },
    ])
  })

  it('are the same where only the compression, the times and the hard links are others', async () => {
    const one = await layerOf({ name: 'a', text: 'x', mtime: 1 }, { name: 'b', text: 'x' })
    const linked = await layerOf({ name: 'a', text: 'x' }, { name: 'b', type: 'link', linkname: 'a' })
    const other = await packed(linked.archive, 'none')
    const result = await diff({
      from: image({ layers: [one] }),
      to: image({ layers: [other] }),
      options: { files: true },
    })
    expect(result).toMatchObject({ identical: false, files: [] })
  })

  it('are the same where the layers are, which are not read for that', async () => {
    const ends = { from: image({}), to: image({ config: { author: 'x' } }), options: { files: true } }
    const { files, calls } = await diff(ends)
    expect(files).toEqual([])
    expect(calls.flat().filter(call => call.startsWith('getBlob'))).toHaveLength(2)
  })

  it('are not there in what has no filesystem', async () => {
    const artifact: Build = store =>
      addManifest(store, {
        mediaType: mediaTypes.ociManifest,
        config: addBlob(store, '{}', mediaTypes.ociEmpty),
        layers: [],
      })
    await expect(diff({ from: image({}), to: artifact, options: { files: true } })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
  })

  it('are not read unless they are asked for, and then each layer once for each image', async () => {
    const ends = { from: image({}), to: image({ layers: [base, top] }) }
    const blobCalls = ({ calls }: Awaited<ReturnType<typeof diff>>) =>
      calls.map(list => list.filter(call => call.startsWith('getBlob')).length)
    expect(blobCalls(await diff(ends))).toEqual([1, 1])
    expect(blobCalls(await diff({ ...ends, options: { files: true } }))).toEqual([2, 3])
  })
})

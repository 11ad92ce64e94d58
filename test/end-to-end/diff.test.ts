import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { runDray } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'

const hello = `oci:${fixturePath('hello')}`

describe('a diff of two tags', patience, () => {
  it('shows platforms, fields, history and layers, and no files unless they are asked for', async () => {
    const { stdout } = await dray(['diff', '--platform', 'linux/amd64', `${hello}:1.0`, `${hello}:1.1`])
    const said = stdout
      .replaceAll(fixturePath('hello'), 'HELLO')
      .replace(/\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b/g, 'D')
    expect(said).toBe(
      `--- oci:HELLO:1.0  sha256:D  linux/amd64
+++ oci:HELLO:1.1  sha256:D  linux/amd64

Fields
  ~  annotations.org.opencontainers.image.created  2025-01-15T12:00:00Z → 2025-03-01T12:00:00Z
  ~  annotations.org.opencontainers.image.version  1.0 → 1.1
  ~  created                                       2025-01-15T12:00:00Z → 2025-03-01T12:00:00Z
  ~  env.HELLO_VERSION                             1.0 → 1.1
  ~  labels.org.opencontainers.image.created       2025-01-15T12:00:00Z → 2025-03-01T12:00:00Z
  ~  labels.org.opencontainers.image.version       1.0 → 1.1

History
  +  RUN rm /etc/motd

Layers (422 B shared, 436 B added, 321 B removed)
     1  D  422 B
  -  2  D  321 B
  +  2  D  321 B
  +  3  D  115 B
`,
    )
  })

  it('shows files with --files', async () => {
    const { stdout } = await dray([
      'diff',
      '--files',
      '--platform',
      'linux/amd64',
      `${hello}:1.0`,
      `${hello}:1.1`,
    ])
    expect(stdout.split('\nFiles\n')[1]).toBe(
      '  ~  bin/hello  file  536 B  content\n  -  etc/motd   file  77 B   0644\n',
    )
  })

  it.each(['oci-archive:%s/hello.tar.gz:1.1', 'docker-archive:%s/hello.tar:hello:1.1', 'dir:%s/hello'])(
    'finds the same between a layout and %s',
    async form => {
      await using folder = await makeTempDir()
      const location = form.replace('%s', folder.path)
      await dray(['copy', '--quiet', `${hello}:1.1`, location])
      const { stdout } = await dray([
        'diff',
        '--files',
        '--platform',
        'linux/amd64',
        `${hello}:1.0`,
        location,
      ])
      expect(stdout).toContain('  ~  env.HELLO_VERSION                             1.0 → 1.1\n')
      expect(stdout.split('\nFiles\n')[1]).toBe(
        '  ~  bin/hello  file  536 B  content\n  -  etc/motd   file  77 B   0644\n',
      )
      expect((await dray(['diff', `${hello}:1.1`, location])).stdout).toContain('\nidentical\n')
    },
  )

  it('lists the platforms of two indexes', async () => {
    const { stdout } = await dray(['diff', `${hello}:1.0`, `${hello}:1.1`])
    expect(stdout).toMatch(
      /\nPlatforms\n {2}~ {2}linux\/amd64 .* → .*\n {2}~ {2}linux\/arm64 .*\n {2}~ {2}linux\/arm\/v7 /,
    )
  })

  it('gives a document with all fields', async () => {
    const document = await drayJson([
      'diff',
      '--platform',
      'linux/arm64',
      '--files',
      `${hello}:1.0`,
      `${hello}:1.1`,
    ])
    expect(document).toMatchObject({
      identical: false,
      from: {
        reference: `${hello}:1.0`,
        platform: 'linux/arm64',
        digest: fixtureDescriptor('hello', '1.0').digest,
      },
      to: { reference: `${hello}:1.1`, platform: 'linux/arm64' },
      platforms: [],
      index: [],
      fields: expect.arrayContaining([
        { name: 'env.HELLO_VERSION', kind: 'changed', from: '1.0', to: '1.1' },
      ]),
      history: [{ kind: 'added', createdBy: expect.any(String), emptyLayer: false }],
      layers: expect.any(Array),
      bytes: { shared: expect.any(Number), added: expect.any(Number), removed: expect.any(Number) },
      files: [
        { name: 'bin/hello', kind: 'changed' },
        { name: 'etc/motd', kind: 'removed', to: null },
      ],
    })
  })

  it.each<[string, string[], number]>([
    ['two that differ', [':1.0', ':1.1'], 1],
    ['two that are the same', [':1.0', ':stable'], 0],
    [
      'two platforms of one index',
      [':1.0', ':1.0', '--platform', 'linux/amd64', '--to-platform', 'linux/arm64'],
      1,
    ],
  ])(
    'with --exit-code tells %s by its exit code, and says nothing of it',
    async (_, [from, to, ...flags], code) => {
      const args = ['diff', `${hello}${from}`, `${hello}${to}`, ...flags]
      expect(await runDray([...args, '--exit-code'])).toMatchObject({ code, stderr: '' })
      expect(await runDray(args)).toMatchObject({ code: 0, stderr: '' })
    },
  )

  it('fails for what is not there', async () => {
    await drayFails(3, ['diff', `${hello}:1.0`, `${hello}:none`])
    await drayFails(3, ['diff', '--to-platform', 'linux/s390x', `${hello}:1.0`, `${hello}:1.1`])
    await drayFails(2, ['diff', `${hello}:1.0`])
  })
})

describe('a diff of a registry and a layout', patience, () => {
  const opened = new AsyncDisposableStack()
  let registry: EmbeddedRegistry
  let proxy: FaultyProxy
  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    for (const tag of ['1.0', '1.1'])
      await dray(['copy', '--quiet', `${hello}:${tag}`, `${registry.host}/hello:${tag}`])
  })
  beforeEach(async () => {
    proxy = opened.use(await startFaultyProxy(`http://${registry.host}`))
  })
  afterAll(() => opened.disposeAsync())

  const told = () =>
    proxy.requests.map(({ method, path }) => `${method} ${path.replace(/sha256:.*/, 'D')}`).toSorted()

  it('ends at once when both have the same digest', async () => {
    const { stdout } = await dray(['diff', '--files', `${proxy.host}/hello:1.1`, `${hello}:latest`])
    expect(stdout).toMatch(/\nidentical\n$/)
    expect(told()).toEqual(['HEAD /v2/hello/manifests/1.1'])
  })

  it('asks a registry at both ends two things when the digests are the same', async () => {
    await dray(['diff', `${proxy.host}/hello:1.1`, `${proxy.host}/hello:1.1`])
    expect(told()).toEqual(Array<string>(2).fill('HEAD /v2/hello/manifests/1.1'))
  })

  it('reads manifests and configs, and layers only for files', async () => {
    const ends = [`${proxy.host}/hello:1.1`, `${hello}:1.0`]
    const metadata = [
      'GET /v2/hello/blobs/D',
      'GET /v2/hello/manifests/D',
      'GET /v2/hello/manifests/D',
      'HEAD /v2/hello/manifests/1.1',
    ]
    await dray(['diff', '--platform', 'linux/amd64', ...ends])
    expect(told()).toEqual(metadata)
    proxy.requests.length = 0
    await dray(['diff', '--files', '--platform', 'linux/amd64', ...ends])
    expect(told()).toEqual([...Array<string>(3).fill('GET /v2/hello/blobs/D'), ...metadata])
  })

  it('takes connection flags for one end alone', async () => {
    const failed = await drayFails(5, [
      'diff',
      '--no-from-plain-http',
      '--retries',
      '0',
      `${proxy.host}/hello:1.1`,
      `${hello}:1.0`,
    ])
    expect(failed).toContain(proxy.host)
  })
})

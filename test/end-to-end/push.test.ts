import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { run, runDray, start, startDray } from '../support/run.ts'
import { openBadRoad, startBigImage } from './bad-road.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'
import { crane, skopeo } from './peers.ts'
import { type StoredHello, startStoredHello } from './stored-hello.ts'

const { digest } = fixtureDescriptor('hello', '1.0')
const otherDigest = fixtureDescriptor('hello', '1.1').digest

describe.skipIf(!requirePeers('docker-registry'))('dray push', patience, () => {
  const opened = new AsyncDisposableStack()
  let hello: StoredHello
  let host = ''
  let proxy: FaultyProxy
  beforeAll(async () => {
    hello = opened.use(await startStoredHello())
    proxy = opened.use(await startFaultyProxy(hello.registry.url))
    host = hello.host
    await dray(['pull', `${host}/app/hello:1.0`, `${host}/app/hello:1.1`, hello.path('two.tar')])
  })
  afterAll(() => opened.disposeAsync())

  const digestOf = async (reference: string) => (await dray(['digest', reference])).stdout.trim()
  const app = () => `${host}/app/hello:1.0`

  it.each([
    ['an OCI layout', 'layout', ['pull']],
    ['an archive of one', 'a.tar', ['pull']],
    ['one that is compressed with gzip', 'b.tar.gz', ['pull']],
    ['one that is compressed with zstd', 'c.tar.zst', ['pull']],
    ['a folder as skopeo has it', 'd', ['pull', '--as', 'dir']],
    ["an archive of docker's", 'e.tar.gz', ['pull', '--as', 'docker', '--platform', 'linux/arm64']],
    ['an old one', 'f.tar', ['pull', '--as', 'legacy', '--platform', 'linux/arm64']],
  ])('knows %s by what is in it', async (_, name, [verb = '', ...flags]) => {
    const path = hello.path(name)
    const pulled = await drayJson([verb, ...flags, app(), path])
    const [image] = (pulled as { images: { digest: string }[] }).images
    const to = `${host}/pushed/${name.replaceAll('.', '-')}:1`
    const pushed = await drayJson(['push', path, to])
    expect(pushed).toMatchObject({ path, dryRun: false, failures: [], images: [{ digest: image?.digest }] })
    expect(await digestOf(to)).toBe(image?.digest)
    if (!name.includes('.tar')) return
    const { stdout } = await dray(['push', '-', `${to}-stdin`], { input: await readFile(path) })
    expect(stdout).toBe(`${to}-stdin@${image?.digest}\n`)
  })

  it.each([
    'docker-1.9',
    'docker-20.10',
    'docker-28',
    'docker-28-one-platform',
    'podman',
    'podman-oci',
    'buildah',
    'crane',
    'skopeo',
  ])('takes an archive that %s wrote', async name => {
    const path = fixturePath('docker-archives', `${name}.tar`)
    const { images } = (await drayJson(['ls', path])) as { images: { digest: string; name: string | null }[] }
    const [first] = images
    const to = `${host}/recorded/${name}:1`
    const choice = new Set(images.map(image => image.digest)).size > 1 ? ['--image', first?.name ?? ''] : []
    await dray(['push', ...choice, path, to])
    expect(await digestOf(to)).toBe(first?.digest)
  })

  it('pushes what a pipe brings from another dray', async () => {
    const to = `${host}/piped/hello:1`
    const piped = await run('sh', ['-c', `"$@" pull -q ${app()} - | "$@" push -q - ${to}`, 'sh', ...self()])
    expect(piped).toMatchObject({ code: 0, stdout: `${to}@${digest}\n` })
    expect(await digestOf(to)).toBe(digest)
  })

  it('pushes all of several below a destination without a tag, by their names', async () => {
    const { stdout } = await dray(['push', hello.path('two.tar'), `${host}/mirror`])
    expect(stdout).toBe(
      `${host}/mirror/app/hello:1.0@${digest}\n${host}/mirror/app/hello:1.1@${otherDigest}\n`,
    )
    expect(await digestOf(`${host}/mirror/app/hello:1.1`)).toBe(otherDigest)
    await dray(['push', hello.path('two.tar'), host])
    await dray(['push', '--scoped', hello.path('two.tar'), `${host}/scoped`])
    expect(await digestOf(`${host}/scoped/${host.replace(':', '-')}/app/hello:1.0`)).toBe(digest)
  })

  it('pushes one of several, or one as if it were several', async () => {
    const path = hello.path('two.tar')
    await dray(['push', '--image', '1.1', path, `${host}/chosen:x`])
    await dray(['push', '--image', `${host}/app/hello:1.0`, path, `${host}/chosen:y`])
    await dray(['push', '--image', otherDigest, path, `${host}/chosen`])
    expect((await dray(['ls', '--sort', 'name', `${host}/chosen`])).stdout).toBe('latest\nx\ny\n')
    await dray(['pull', app(), hello.path('one.tar')])
    await dray(['push', '--all', hello.path('one.tar'), `${host}/all`])
    expect(await digestOf(`${host}/all/app/hello:1.0`)).toBe(digest)
    await dray(['push', hello.path('one.tar'), `${host}/all/alone@${digest}`])
    expect(await digestOf(`${host}/all/alone@${digest}`)).toBe(digest)
  })

  it('mounts what it has pushed to another repository before', async () => {
    const path = hello.path('shared.tar')
    await dray(['pull', app(), `${host}/db/hello:1.0`, path])
    const { images } = (await drayJson(['push', path, `${host}/mounting`])) as {
      images: { blobs: { copied: number; mounted: number } }[]
    }
    expect(images.map(({ blobs }) => [blobs.copied, blobs.mounted])).toEqual([
      [7, 0],
      [0, 7],
    ])
  })

  it('does nothing twice, and says in a dry run what it would do', async () => {
    const push = ['push', hello.path('two.tar'), `${host}/dry`]
    const { stdout } = await dray([...push, '--dry-run'])
    expect(stdout).toContain(`as ${host}/dry/app/hello:1.1\n`)
    expect(await drayFails(3, ['ls', `${host}/dry/app/hello`])).toContain('dry')
    await dray(push)
    expect(await drayJson(push)).toMatchObject({
      images: [{ blobs: { copied: 0 }, bytes: 0 }, { blobs: { copied: 0 } }],
    })
  })

  it('goes on after an image that fails, and lists it', async () => {
    proxy.spoil({ method: 'PUT', path: /manifests\/1\.0$/, fault: { kind: 'answer', status: 403 } })
    const to = `${proxy.host}/partly`
    const { code, stdout, stderr } = await runDray([
      'push',
      '-q',
      '--format',
      'json',
      hello.path('two.tar'),
      to,
    ])
    expect(code).toBe(7)
    expect(JSON.parse(stdout)).toMatchObject({
      images: [{ name: `${host}/app/hello:1.1`, digest: otherDigest }],
      failures: [{ name: `${host}/app/hello:1.0`, code: 'UNAUTHORIZED' }],
    })
    expect(stderr.trim().split('\n')).toHaveLength(2)
    expect(await digestOf(`${to}/app/hello:1.1`)).toBe(otherDigest)
  })

  it('tells an image without a name from the others, which it pushes', async () => {
    const layout = hello.path('unnamed')
    await dray(['copy', `${host}/app/hello:1.0`, `oci:${layout}@${digest}`])
    await dray(['copy', `${host}/app/hello:1.1`, `oci:${layout}:bare`])
    const { code, stdout, stderr } = await runDray(['push', '-q', layout, `${host}/unnamed`])
    expect({ code, stdout }).toEqual({ code: 7, stdout: `${host}/unnamed:bare@${otherDigest}\n` })
    expect(stderr).toContain(`hint: push it alone with --image ${digest}`)
    await dray(['push', '--image', digest, layout, `${host}/unnamed:found`])
    expect(await digestOf(`${host}/unnamed:found`)).toBe(digest)
  })

  it.each([
    [['TWO', 'HOST/x:1'], 2, 'is the name of one image'],
    [['--image', 'none', 'TWO', 'HOST/x:1'], 3, '/app/hello:1.0'],
    [['--image', '1.0', '--all', 'TWO', 'HOST/x'], 2, 'exclude each other'],
    [['TWO', 'oci:dir:1'], 2, 'pushed to registries'],
    [['TWO', 'docker-daemon:x'], 2, 'pushed to registries'],
    [['TWO', 'HOST/UPPER'], 2, 'lower case'],
    [['/nowhere.tar', 'HOST/x'], 3, '/nowhere.tar'],
    [['README', 'HOST/x'], 6, 'README.md'],
    [['FOLDER', 'HOST/x'], 3, 'not a folder of images'],
  ] as const)('fails for %j and says why', async (args, code, said) => {
    const given = args.map(arg =>
      arg
        .replace('TWO', hello.path('two.tar'))
        .replace('HOST', host)
        .replace('README', fixturePath('README.md'))
        .replace('FOLDER', fixturePath('manifests')),
    )
    expect(await drayFails(code, ['push', '-q', ...given])).toContain(said)
  })

  it('refuses two images that would have one name, before it pushes any', async () => {
    const layout = hello.path('clash')
    await dray(['copy', `${host}/app/hello:1.0`, `oci:${layout}:ghcr.io/org/app:1`])
    await dray(['copy', `${host}/app/hello:1.1`, `oci:${layout}:quay.io/org/app:1`])
    expect(await drayFails(2, ['push', '-q', layout, `${host}/clash`])).toMatch(
      /would both be .*\nhint: .*--scoped/,
    )
    await dray(['push', '--scoped', layout, `${host}/clash`])
    expect(await digestOf(`${host}/clash/quay.io/org/app:1`)).toBe(otherDigest)
  })

  it('does not push a damaged blob', async () => {
    const archive = hello.path('damaged.tar')
    const bytes = await readFile(hello.path('two.tar'))
    bytes.write('ROOTFS', bytes.indexOf('rootfs'))
    await writeFile(archive, bytes)
    const { code, stderr } = await runDray(['push', '-q', archive, `${host}/damaged`])
    expect(code).toBe(7)
    expect(stderr).toMatch(/digest/)
  })

  it('ends at once when it is interrupted while it waits for stdin', async () => {
    const pipe = hello.path('pipe')
    await run('mkfifo', [pipe])
    // A descriptor of its own for writing keeps the pipe open.
    const command = ['-c', 'exec "$@" 3<>"$0" <"$0"', pipe, ...self(), 'push', '-', `${host}/x:1`]
    await using running = await start('sh', command)
    await using writer = await open(pipe, 'w')
    // More than the pipe holds: when it is written, it is being read.
    await writer.writeFile(Buffer.alloc(256 * 1024, 'x'))
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: 'dray: interrupted\n' })
  })

  it('leaves no tag when it is interrupted', async () => {
    await using big = await startBigImage()
    await using road = await openBadRoad(big)
    road.proxy.spoil({ method: 'PUT', path: /blobs\/uploads/, fault: { kind: 'stall', afterBytes: 0 } })
    await using running = await startDray([
      'push',
      '--progress',
      'none',
      big.layout.path,
      `${road.proxy.host}/into:1`,
    ])
    await expect
      .poll(() => road.requestsOf('PUT', /blobs\/uploads/).length, { timeout: 20_000 })
      .toBeGreaterThan(0)
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: 'dray: interrupted\n' })
    expect(await drayFails(3, ['digest', `${big.registry.host}/into:1`])).toContain('into:1')
  })

  it.skipIf(!requirePeers('crane', 'skopeo'))('takes what crane and skopeo wrote', async () => {
    const files = {
      oci: hello.path('by-crane'),
      tar: hello.path('by-crane.tar'),
      skopeo: hello.path('by-skopeo.tar'),
    }
    await crane(['pull', '--format', 'oci', app(), files.oci])
    await crane(['pull', '--platform', 'linux/amd64', app(), files.tar])
    await skopeo(['copy', '--all', `docker://${app()}`, `oci-archive:${files.skopeo}:1.0`])
    for (const path of [files.oci, files.skopeo]) {
      await dray(['push', path, `${host}/of-peers:1`, '--force'])
      expect(await digestOf(`${host}/of-peers:1`)).toBe(digest)
    }
    await dray(['push', files.tar, `${host}/of-peers:tar`])
    expect((await dray(['config', `${host}/of-peers:tar`])).stdout).toBe(
      (await dray(['config', app()])).stdout,
    )
  })

  function self(): string[] {
    return [process.execPath, join(import.meta.dirname, '../../bin/dray.js')]
  }
})

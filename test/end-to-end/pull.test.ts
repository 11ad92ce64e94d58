import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureDescriptor } from '../support/fixtures.ts'
import { generateLayout } from '../support/generated-layout.ts'
import { requirePeers } from '../support/peers.ts'
import { run, runDray, startDray } from '../support/run.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { bytesIn, listing, megabyte, openBadRoad, startBigImage } from './bad-road.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'
import { skopeo } from './peers.ts'
import { type StoredHello, startStoredHello } from './stored-hello.ts'

const { digest } = fixtureDescriptor('hello', '1.0')
const amd64 = 'sha256:b3953cb184a6740ca72407e21db152267d0fda5d06808af08fed0c970a617bcd'

describe.skipIf(!requirePeers('docker-registry'))('dray pull', patience, () => {
  const opened = new AsyncDisposableStack()
  let hello: StoredHello
  let app = ''
  let db = ''
  beforeAll(async () => {
    hello = opened.use(await startStoredHello())
    app = `${hello.host}/app/hello`
    db = `${hello.host}/db/hello`
  })
  afterAll(() => opened.disposeAsync())

  it.each(['layout', 'archive.tar', 'archive.tar.gz', 'archive.tgz', 'archive.tar.zst'])(
    'puts an image with all its platforms into %s, by its name in full',
    async name => {
      const path = hello.path(name)
      const { stdout } = await dray(['pull', `${app}:1.0`, path])
      const kind = name === 'layout' ? 'oci' : 'oci-archive'
      expect(stdout).toBe(`${kind}:${path}:${app}:1.0@${digest}\n`)
      expect(await drayJson(['ls', path])).toMatchObject({
        kind,
        images: [{ name: `${app}:1.0`, digest, platforms: ['linux/amd64', 'linux/arm64', 'linux/arm/v7'] }],
      })
      expect((await dray(['digest', `${kind}:${path}:${app}:1.0`])).stdout).toBe(`${digest}\n`)
    },
  )

  it('puts several images into one archive, shared blobs once, and the next ones beside them', async () => {
    const path = hello.path('several.tar')
    await dray(['pull', `${app}:1.0`, `${db}:1.0`, path])
    const shared = ((await drayJson(['ls', path])) as { size: number }).size
    await dray(['pull', `${app}:1.1`, `${app}:1.1`, path])
    const { images } = (await drayJson(['ls', path])) as { images: { name: string; size: number }[] }
    expect(images.map(({ name }) => name)).toEqual([`${app}:1.0`, `${app}:1.1`, `${db}:1.0`])
    // hello and hello-docker differ in their manifests alone.
    expect(shared).toBeLessThan(images.reduce((sum, { size }) => sum + size, 0) - (images[1]?.size ?? 0))
    const fresh = hello.path('fresh.tar')
    await dray(['pull', `${app}:1.1`, `${db}:1.0`, `${app}:1.0`, fresh])
    expect((await readFile(fresh)).equals(await readFile(path))).toBe(true)
  })

  it('names what is pulled by its digest so that its repository is known', async () => {
    const path = hello.path('by-digest.tar')
    await dray(['pull', `${app}@${digest}`, path])
    expect(await drayJson(['ls', path])).toMatchObject({
      images: [{ name: `${app}@${digest}`, repository: app, tag: null }],
    })
    expect(await drayFails(6, ['pull', '-q', `${app}:1.1@${digest}`, path])).toContain(`not for ${digest}`)
  })

  it('takes only the platforms that are wanted', async () => {
    const path = hello.path('platforms.tar')
    const flags = ['--platform', 'linux/amd64', '--platform', 'linux/arm/v7']
    const { stderr } = await dray(['pull', ...flags, `${app}:1.0`, path])
    expect(stderr).toContain(`the source has ${digest}`)
    expect(await drayJson(['ls', path])).toMatchObject({
      images: [{ platforms: ['linux/amd64', 'linux/arm/v7'] }],
    })
  })

  it.each(['--as', '--format'])(
    'makes an archive for docker with %s docker: one platform under its name',
    async flag => {
      const path = hello.path(`${flag}-docker.tar`)
      const { stdout } = await dray([
        'pull',
        flag,
        'docker',
        '--platform',
        'linux/amd64',
        `${app}:1.0`,
        `${db}:1.0`,
        path,
      ])
      expect(stdout).toContain(`docker-archive:${path}:${app}:1.0@${amd64}\n`)
      expect(await drayJson(['ls', path])).toMatchObject({
        kind: 'docker-archive',
        images: [
          { name: `${app}:1.0`, digest: amd64, platforms: ['linux/amd64'] },
          { name: `${db}:1.0`, platforms: ['linux/amd64'] },
        ],
      })
    },
  )

  it('makes an archive of the old form, and tells the digest that it gives', async () => {
    const path = hello.path('legacy.tar')
    const pulled = await drayJson(['pull', '--as', 'legacy', '--platform', 'linux/amd64', `${app}:1.0`, path])
    const { images } = (await drayJson(['ls', path])) as { images: { digest: string }[] }
    expect(pulled).toMatchObject({
      as: 'legacy',
      images: [{ digest: images[0]?.digest, sourceDigest: digest, changed: true }],
    })
    expect(images[0]?.digest).not.toBe(amd64)
    expect((await dray(['config', `docker-archive:${path}`])).stdout).toBe(
      (await dray(['config', `${app}:1.0`])).stdout,
    )
  })

  it('makes a folder as skopeo has it', async () => {
    const path = hello.path('folder')
    await dray(['pull', '--as', 'dir', `${app}:1.0`, path])
    expect((await dray(['digest', `dir:${path}`])).stdout).toBe(`${digest}\n`)
  })

  it.skipIf(!requirePeers('skopeo'))(
    'writes archives that skopeo finds images in by their names',
    async () => {
      const path = hello.path('for-skopeo.tar')
      // skopeo takes no manifests of docker's out of a layout.
      await dray(['pull', `${app}:1.0`, `${app}:1.1`, path])
      for (const [name, to] of [
        [`${app}:1.0`, `${hello.host}/skopeo/app:1`],
        [`${app}:1.1`, `${hello.host}/skopeo/app:2`],
      ] as const) {
        await skopeo(['copy', '--all', `oci-archive:${path}:${name}`, `docker://${to}`])
        expect((await dray(['digest', to])).stdout).toBe((await dray(['digest', name])).stdout)
      }
    },
  )

  it('writes an archive to stdout, and what it says to stderr', async () => {
    const file = hello.path('as-file.tar')
    await dray(['pull', `${app}:1.0`, file])
    const { stdoutBytes, stderr } = await dray(['pull', `${app}:1.0`, '-'])
    expect(stdoutBytes.equals(await readFile(file))).toBe(true)
    expect(stderr).toContain(`oci-archive:-:${app}:1.0@${digest}\n`)
  })

  it('keeps blobs for later pulls, and fetches a damaged one again', async () => {
    const cache = hello.path('cache')
    const pull = (name: string) => drayJson(['pull', '-c', cache, `${app}:1.0`, hello.path(name)])
    expect(await pull('c1.tar')).toMatchObject({ images: [{ blobs: { copied: 7, mounted: 0 } }] })
    const log = hello.registry.accessLog().length
    expect(await pull('c2.tar')).toMatchObject({ images: [{ blobs: { copied: 0, mounted: 7 }, bytes: 0 }] })
    const asked = () => hello.registry.accessLog().slice(log)
    await expect.poll(() => asked().some(line => line.includes('/manifests/'))).toBe(true)
    expect(asked().filter(line => line.includes('/blobs/'))).toEqual([])
    const [first = ''] = await readdir(join(cache, 'blobs/sha256'))
    await writeFile(join(cache, 'blobs/sha256', first), 'damaged')
    expect(await pull('c3.tar')).toMatchObject({ images: [{ blobs: { copied: 1, mounted: 6 } }] })
    expect((await readFile(hello.path('c3.tar'))).equals(await readFile(hello.path('c1.tar')))).toBe(true)
  })

  it('says in a dry run what it would do, and does nothing', async () => {
    const before = await readdir(hello.path('.'))
    const { stdout } = await dray([
      'pull',
      '--dry-run',
      '-c',
      hello.path('none'),
      `${app}:1.0`,
      hello.path('dry.tar'),
    ])
    expect(stdout.match(/^would upload blob /gm)).toHaveLength(7)
    expect(stdout).toContain(`as oci-archive:${hello.path('dry.tar')}:${app}:1.0\n`)
    expect(await readdir(hello.path('.'))).toEqual(before)
  })

  it('goes on after an image that fails, and lists it', async () => {
    const path = hello.path('part.tar')
    const args = ['pull', '--quiet', '--format', 'json', `${app}:none`, `${app}:1.0`, path]
    const { code, stdout, stderr } = await runDray(args)
    expect(code).toBe(7)
    expect(JSON.parse(stdout)).toMatchObject({
      path,
      as: 'oci',
      dryRun: false,
      images: [{ name: `${app}:1.0`, digest, referrers: [], tags: ['1.0'] }],
      failures: [{ name: `${app}:none`, code: 'NOT_FOUND', message: expect.stringContaining(`${app}:none`) }],
    })
    const errors = stderr
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).error)
    expect(errors).toMatchObject([{ code: 'NOT_FOUND' }, { code: 'PARTIAL', exitCode: 7 }])
    expect(await drayJson(['ls', path])).toMatchObject({ images: [{ name: `${app}:1.0` }] })
  })

  it('writes nothing where every image fails, and one that is alone fails as itself', async () => {
    const path = hello.path('nothing.tar')
    expect(await drayFails(3, ['pull', '-q', `${app}:none`, path])).toContain(`${app}:none`)
    expect((await runDray(['pull', '-q', `${app}:none`, `${db}:none`, path])).code).toBe(7)
    expect(await listing(hello.path('.'))).not.toContain('nothing.tar')
  })

  it.each([
    [['pull', 'a'], 'name the images, and last the path'],
    [['pull', 'a', 'ghcr.io/org/app:1'], 'looks like an image'],
    [['pull', 'a', 'b', `app@${digest}`], 'looks like an image'],
    [['pull', 'oci:a', 'b'], 'pulled from registries only'],
    [['pull', '--as', 'dir', 'a', 'b', 'c'], 'holds one image'],
    [['pull', '--as', 'dir', 'a', 'b.tar'], 'is to be a folder'],
    [['pull', '--as', 'docker', '--referrers', 'a', 'b.tar'], 'need --as oci'],
    [
      ['pull', '--as', 'docker', '--platform', 'linux/a', '--platform', 'linux/b', 'a', 'b.tar'],
      '--platform once',
    ],
    [['pull', '--as', 'other', 'a', 'b'], 'Allowed choices are oci, docker, legacy, dir'],
    [['pull', '--format', 'yaml', 'a', 'b'], '"yaml" is not a format'],
  ])('refuses %j before it asks any registry', async (args, said) => {
    expect(await drayFails(2, args)).toContain(said)
  })

  it('does not take away what it did not write', async () => {
    const file = hello.path('mine.tar')
    await writeFile(file, 'mine')
    expect(await drayFails(6, ['pull', '-q', `${app}:1.0`, file])).toContain('remove the file first')
    expect(await readFile(file, 'utf8')).toBe('mine')
    const docker = hello.path('docker-first.tar')
    await dray(['pull', '--as', 'docker', '--platform', 'linux/amd64', `${app}:1.0`, docker])
    expect(await drayFails(2, ['pull', '-q', `${app}:1.0`, docker])).toContain('manifest.json')
  })

  it('leaves nothing half-written when it is interrupted, and goes on from there', async () => {
    await using big = await startBigImage()
    await using road = await openBadRoad(big)
    const file = hello.path('big.tar.gz')
    road.proxy.spoil({ path: big.blobPath, fault: { kind: 'stall', afterBytes: 12 * megabyte } })
    const args = ['pull', '--progress', 'none', road.image, file]
    await using running = await startDray(args)
    const collected = join(dirname(file), '.big.tar.gz.partial')
    await expect.poll(() => bytesIn(collected), { timeout: 20_000 }).toBeGreaterThan(11 * megabyte)
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: 'dray: interrupted\n' })
    expect(await listing(dirname(file))).not.toContain('big.tar.gz')
    await dray(args)
    const [, second] = road.requestsOf('GET', big.blobPath)
    expect(Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? '')?.[1])).toBeGreaterThan(11 * megabyte)
    expect(await drayJson(['ls', file])).toMatchObject({ images: [{ digest: big.layout.manifest.digest }] })
    await rm(file)
  })

  it('says that the disk is full, and leaves no file', async ({ skip }) => {
    await using folder = await makeTempDir()
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder.path]).catch(
      () => undefined,
    )
    skip(mounted?.code !== 0, 'nothing can be mounted here')
    try {
      await using layout = await generateLayout(2 * megabyte)
      await dray(['copy', '-q', `oci:${layout.path}:big`, `${hello.host}/large:1`])
      expect(
        await drayFails(1, ['pull', '-q', `${hello.host}/large:1`, join(folder.path, 'x.tar')]),
      ).toContain('no space is left on the disk')
      expect((await listing(folder.path)).filter(name => name === 'x.tar')).toEqual([])
    } finally {
      await run('umount', [folder.path])
    }
  })
})

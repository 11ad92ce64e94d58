import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerEngine } from '../support/docker-engine.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { projectFolder, run, runDray, startDray } from '../support/run.ts'
import { bytesIn, listing, megabyte, openBadRoad, startBigImage } from './bad-road.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'
import { crane, skopeo } from './peers.ts'
import { type StoredHello, startStoredHello } from './stored-hello.ts'

const { digest } = fixtureDescriptor('hello', '1.0')
const dockerDigest = fixtureDescriptor('hello-docker', '1.0').digest
const amd64 = 'sha256:b3953cb184a6740ca72407e21db152267d0fda5d06808af08fed0c970a617bcd'
const layer = 'sha256:f2c5268f6c9e7e78ae540b7aef37b7d1ac748c4e0bdd9481b1a8a7521207fb78'

/** What a location is written with, and read with. */
const stores: readonly (readonly [string, string])[] = [
  ['oci:NAME', ''],
  ['oci:NAME', ':ghcr.io/org/app:1'],
  ['oci-archive:NAME.tar', ''],
  ['oci-archive:NAME.tar.gz', ':1.0'],
  ['oci-archive:NAME.tar.zst', ':ghcr.io/org/app:1'],
  ['docker-archive:NAME.tar', ''],
  ['docker-archive:NAME.tar.gz', ':org/app:1'],
  ['dir:NAME', ''],
]

describe.skipIf(!requirePeers('docker-registry'))('locations', patience, () => {
  const opened = new AsyncDisposableStack()
  let hello: StoredHello
  let app = ''
  beforeAll(async () => {
    hello = opened.use(await startStoredHello())
    app = `${hello.host}/app/hello:1.0`
  })
  afterAll(() => opened.disposeAsync())

  /** The location with a path in the folder that no other test uses. */
  const placed = ([place, name]: readonly [string, string], own: string) =>
    place.replace('NAME', hello.path(own)) + name

  it.each(stores)('%s%s takes images and gives them back with the same digests', async (place, name) => {
    for (const [image, wanted] of [
      ['app/hello:1.0', digest],
      ['db/hello:1.0', dockerDigest],
    ]) {
      const own = `${place}${name}-${image}`.replaceAll(/[^a-z0-9]/g, '-')
      const location = placed([place, name], own)
      const there = ['copy', `${hello.host}/${image}`, location]
      expect(await drayJson(there)).toMatchObject({ digest: wanted, changed: false, blobs: { copied: 7 } })
      const back = `${hello.host}/back/${own.replaceAll(/-+/g, '-')}:1`
      expect(await drayJson(['copy', location, back])).toMatchObject({ digest: wanted, changed: false })
      expect((await dray(['manifest', back])).stdoutBytes).toEqual(
        (await dray(['manifest', `${hello.host}/${image}`])).stdoutBytes,
      )
      const isReplaced = place.startsWith('docker-archive:')
      expect(await drayJson(there)).toMatchObject({ blobs: { copied: isReplaced ? 7 : 0 } })
    }
  })

  it.each(stores.filter(([place, name]) => !name.includes('.') && !place.includes('.tar.')))(
    '%s%s is read by inspect, digest, manifest, config and blob as the registry is',
    async (place, name) => {
      const location = placed([place, name], `${place.split(':')[0]}-for-verbs`)
      await dray(['copy', '--quiet', app, location])
      for (const verb of [['digest'], ['manifest'], ['config'], ['manifest', '--platform', 'linux/arm64']]) {
        expect((await dray([...verb, location])).stdout).toBe((await dray([...verb, app])).stdout)
      }
      const { reference: _, ...shown } = (await drayJson(['inspect', location])) as { reference: string }
      expect(await drayJson(['inspect', app])).toMatchObject(shown)
      const blob = await dray(['blob', `${location}@${layer}`])
      expect(blob.stdoutBytes).toEqual((await dray(['blob', `${hello.host}/app/hello@${layer}`])).stdoutBytes)
    },
  )

  it('an image of several in an archive is named by its name, its tag, its place or its digest', async () => {
    const file = hello.path('several.tar')
    for (const tag of ['1.0', '1.1']) {
      await dray(['copy', `${hello.host}/app/hello:${tag}`, `oci-archive:${file}:ghcr.io/org/app:${tag}`])
    }
    for (const name of [':ghcr.io/org/app:1.0', ':1.0', `@${digest}`, `:1.0@${digest}`]) {
      expect((await dray(['digest', `oci-archive:${file}${name}`])).stdout).toBe(`${digest}\n`)
    }
    expect(await drayFails(2, ['digest', `oci-archive:${file}`])).toMatch(/holds 2 images\nhint: .*1\.1/)
    expect(await drayFails(3, ['digest', `oci-archive:${file}:none`])).toContain('ghcr.io/org/app:1.0')
    expect(await drayFails(6, ['digest', `oci-archive:${file}:1.1@${digest}`])).toContain(digest)
    const docker = hello.path('one.tar')
    await dray(['copy', '--unpack', '--platform', 'linux/amd64', app, `docker-archive:${docker}:a:1`])
    for (const name of ['', ':a:1', ':docker.io/library/a:1', ':@0', `@${amd64}`]) {
      expect((await dray(['digest', `docker-archive:${docker}${name}`])).stdout).toBe(`${amd64}\n`)
    }
  })

  it('an archive is written to stdout and read from stdin, and stdout holds nothing else', async () => {
    for (const kind of ['oci-archive', 'docker-archive']) {
      const file = hello.path(`${kind}-file.tar`)
      await dray(['copy', app, `${kind}:${file}`])
      const piped = await dray(['copy', app, `${kind}:-`])
      expect(piped.stdoutBytes.equals(await readFile(file))).toBe(true)
      expect(piped.stderr).toContain(`@${digest}\n`)
      const input = piped.stdoutBytes
      expect((await dray(['digest', `${kind}:-`], { input })).stdout).toBe(`${digest}\n`)
      const copied = await drayJson(['copy', `${kind}:-`, `${hello.host}/from-stdin:1`], { input })
      expect(copied).toMatchObject({ digest, source: `${kind}:-` })
    }
  })

  it('an archive on stdout leaves the JSON to stderr, and --quiet all but that', async () => {
    const json = await dray(['copy', '--quiet', '--format', 'json', app, 'oci-archive:-'])
    expect(JSON.parse(json.stderr)).toMatchObject({ digest })
    expect((await dray(['copy', '--quiet', app, 'oci-archive:-'])).stderr).toBe('')
  })

  it.each([
    ['tag', ['tag', 'oci-archive:x.tar:1', '2'], 1, 'nothing in it can be tagged or deleted'],
    ['delete', ['delete', 'docker-archive:x.tar:a:1'], 1, 'nothing in it can be tagged or deleted'],
    ['a tag in a folder that has none', ['copy', '-t', '2', 'a', 'dir:d'], 2, '--tag cannot be given'],
    [
      'an engine without a name',
      ['copy', `oci:${fixturePath('hello')}:1.0`, `docker-daemon:${digest}`],
      2,
      'gets a name and a tag',
    ],
    ['an unknown kind', ['copy', 'a', 'containers-storage:b'], 1, 'not supported'],
    [
      'stdin for two things',
      ['copy', '--to-username', 'a', '--to-password-stdin', 'oci-archive:-', 'localhost:1/b'],
      2,
      'both an archive and a password',
    ],
    ['the blobs of an engine', ['blob', 'docker-daemon:x'], 2, 'names no blob'],
  ] as const)('%s is refused, and why', async (_, args, code, said) => {
    expect(await drayFails(code, args)).toContain(said)
  })

  it('what is no archive of images is told as such', async () => {
    const text = hello.path('text.tar')
    await writeFile(text, 'no archive at all')
    expect(await drayFails(6, ['digest', `oci-archive:${text}`])).toContain('text.tar')
    expect(await drayFails(3, ['digest', `oci-archive:${hello.path('none.tar')}`])).toContain('none.tar')
    const archive = hello.path('swapped.tar')
    await dray(['copy', app, `oci-archive:${archive}`])
    expect(await drayFails(3, ['digest', `docker-archive:${archive}`])).toMatch(/hint: .*oci-archive/)
    expect(await drayFails(2, ['copy', app, `dir:${dirname(archive)}`])).toContain('not empty')
  })

  describe('a copy that fails', () => {
    it('for want of space leaves nothing, and says so', async () => {
      const node = `${process.execPath} ${join(projectFolder, 'bin/dray.js')}`
      for (const kind of ['oci-archive', 'docker-archive']) {
        const result = await run('sh', ['-c', `${node} copy -q ${app} ${kind}:- > /dev/full`])
        expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('no space left') })
      }
    })

    it('because it was interrupted leaves no file under the name, and the next goes on', async () => {
      await using big = await startBigImage()
      await using road = await openBadRoad(big)
      const file = hello.path('interrupted.tar')
      road.proxy.spoil({ path: big.blobPath, fault: { kind: 'stall', afterBytes: 12 * megabyte } })
      await using running = await startDray(['copy', '--progress', 'none', road.image, `oci-archive:${file}`])
      const collected = join(dirname(file), '.interrupted.tar.partial')
      await expect.poll(() => bytesIn(collected), { timeout: 20_000 }).toBeGreaterThan(11 * megabyte)
      running.kill('SIGINT')
      expect(await running.ended).toMatchObject({ code: 130, stderr: 'dray: interrupted\n' })
      expect(await listing(dirname(file))).not.toContain('interrupted.tar')
      await dray(['copy', '--quiet', road.image, `oci-archive:${file}`])
      const [, second] = road.requestsOf('GET', big.blobPath)
      expect(Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? '')?.[1])).toBeGreaterThan(11 * megabyte)
      expect((await readdir(dirname(file))).filter(name => name.includes('interrupted'))).toEqual([
        'interrupted.tar',
      ])
      expect(await drayJson(['inspect', `oci-archive:${file}`])).toMatchObject({
        digest: big.layout.manifest.digest,
      })
    })
  })

  describe('peers', () => {
    it.skipIf(!requirePeers('skopeo'))(
      'skopeo reads what dray wrote, and dray what skopeo wrote',
      async () => {
        for (const place of ['oci-archive:NAME.tar', 'dir:NAME']) {
          const ours = placed([place, ''], 'for-skopeo')
          const theirs = placed([place, ''], 'by-skopeo')
          await dray(['copy', app, ours])
          await skopeo(['copy', '--all', ours, `docker://${hello.host}/by/skopeo:1`])
          expect((await dray(['digest', `${hello.host}/by/skopeo:1`])).stdout).toBe(`${digest}\n`)
          await skopeo(['copy', '--all', `docker://${app}`, theirs])
          expect(await drayJson(['copy', theirs, `${hello.host}/for/skopeo:1`])).toMatchObject({ digest })
        }
        const archive = placed(['docker-archive:NAME.tar', ''], 'docker-for-skopeo')
        await dray(['copy', app, archive])
        const { stdout } = await skopeo(['inspect', '--config', archive])
        expect(JSON.parse(stdout)).toMatchObject({ architecture: 'amd64' })
      },
    )

    it.skipIf(!requirePeers('crane'))('crane pushes what dray wrote', async () => {
      const archive = hello.path('for-crane.tar')
      await dray(['copy', app, `docker-archive:${archive}:hello:1`])
      await crane(['push', archive, `${hello.host}/by/crane:1`])
      const config = await dray(['config', `${hello.host}/by/crane:1`])
      expect(config.stdoutBytes).toEqual((await dray(['config', app])).stdoutBytes)
    })
  })

  it('the engine that DOCKER_HOST names gets one platform, and gives images', async () => {
    await using engine = await startDockerEngine()
    const env = { DOCKER_HOST: engine.host }
    const loaded = await drayJson(['copy', app, 'docker-daemon:hello:1.0', '--platform', 'linux/amd64'], {
      env,
    })
    expect(loaded).toMatchObject({ digest: amd64, blobs: { copied: 3 }, tags: ['1.0'] })
    expect(engine.archives.has('docker.io/library/hello:1.0')).toBe(true)
    expect((await dray(['digest', 'docker-daemon:hello:1.0'], { env })).stdout).toBe(`${amd64}\n`)
    const back = await drayJson(['copy', 'docker-daemon:hello:1.0', `${hello.host}/engine:1`], { env })
    expect(back).toMatchObject({ digest: amd64 })
    expect(await drayFails(3, ['digest', 'docker-daemon:none:1'], { env })).toContain('none:1')
    const dryRun = ['copy', '--dry-run', app, 'docker-daemon:other:1.0']
    expect((await dray(dryRun, { env })).stdout).toContain('would write manifest')
    expect(engine.archives.has('docker.io/library/other:1.0')).toBe(false)
  })

  it('an engine that is not there is a matter of the network', async () => {
    const env = { DOCKER_HOST: `unix://${hello.path('none.sock')}` }
    expect(await drayFails(5, ['digest', 'docker-daemon:a'], { env })).toContain('none.sock')
    expect(await drayFails(1, ['digest', 'docker-daemon:a'], { env: { DOCKER_HOST: 'ssh://h' } })).toContain(
      'ssh',
    )
  })

  it('zstd is what the name says', async () => {
    const file = hello.path('named.tar.zst')
    await dray(['copy', app, `oci-archive:${file}`])
    expect(
      zstdDecompressSync(await readFile(file))
        .subarray(0, 10)
        .toString(),
    ).toBe('oci-layout')
    expect((await runDray(['digest', `oci-archive:${file}`])).stdout).toBe(`${digest}\n`)
  })

  it('a tag of a layout that holds names in full is one of the same repository', async () => {
    const location = `oci:${hello.path('tagged')}:ghcr.io/org/app`
    await dray(['copy', `oci:${fixturePath('hello')}:1.0`, `${location}:1.0`])
    await dray(['tag', `${location}:1.0`, 'stable'])
    expect((await dray(['digest', `${location}:stable`])).stdout).toBe(`${digest}\n`)
    await dray(['delete', `${location}:1.0`])
    expect((await dray(['ls', `oci:${hello.path('tagged')}`])).stdout).toBe('ghcr.io/org/app:stable\n')
  })
})

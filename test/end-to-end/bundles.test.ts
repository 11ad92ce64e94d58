import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLayout } from '../../src/layout/layout.ts'
import { parseDigest } from '../../src/oci/digest.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { run, startDray } from '../support/run.ts'
import { putSample, sampleImage } from '../support/sample-image.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayFails, drayJson, patience } from './dray.ts'
import { crane, oras, skopeo } from './peers.ts'

const { digest } = fixtureDescriptor('hello', '1.0')
const dbDigest = fixtureDescriptor('hello-docker', '1.0').digest
const arm64 = parseDigest('sha256:4fdc1f45943576192544d718f8690af9142d7da37956bf0da9537ff79a72d6e8')
const cosignTag = `${digest.replace(':', '-')}.sig`

interface Contents {
  readonly images: readonly {
    readonly name: string
    readonly digest: string
    readonly attachedTo: string | null
    readonly referrers: readonly { readonly digest: string; readonly artifactType: string }[]
  }[]
}

/** A registry with the referrers API and one without it. */
describe.each(['dray serve', 'docker-registry'])('a bundle of images from %s', patience, kind => {
  describe.skipIf(!requirePeers('docker-registry'))('with what refers to them', () => {
    const opened = new AsyncDisposableStack()
    let folder: TempDir
    let site: DockerRegistry
    let host = ''
    let bundle = ''
    /** What refers to app/hello:1.0, to its image for arm64, and to that. */
    let signature: Manifest
    let sbom: Manifest
    let signedSbom: Manifest

    beforeAll(async () => {
      folder = opened.use(await makeTempDir())
      site = opened.use(await startDockerRegistry())
      host = kind === 'docker-registry' ? opened.use(await startDockerRegistry()).host : await serve('origin')
      bundle = `${folder.path}/bundle.tar`
      await dray(['copy', `oci:${fixturePath('hello')}:1.0`, `${host}/app/hello:1.0`])
      await dray(['copy', `oci:${fixturePath('hello-docker')}:1.0`, `${host}/db/hello:1.0`])
      const root = fixtureDescriptor('hello', '1.0')
      signature = await attach('signature', root)
      sbom = await attach('sbom', { ...root, digest: arm64, size: 978, mediaType: signature.mediaType })
      signedSbom = await attach('signed-sbom', descriptorOf(sbom))
      await dray(['copy', `oci:${fixturePath('hello')}:1.1`, `${host}/app/hello:${cosignTag}`])
      await dray(['pull', '--referrers', `${host}/app/hello:1.0`, `${host}/db/hello:1.0`, bundle])
    })
    afterAll(() => opened.disposeAsync())

    /** Starts `dray serve` over a folder. */
    async function serve(name: string): Promise<string> {
      const args = ['serve', `${folder.path}/${name}`, '--address', '127.0.0.1:0', '--log', 'none']
      const running = opened.use(await startDray(args))
      const [, address = ''] = await running.printed(/ at http:\/\/(127\.0\.0\.1:\d+)/)
      return address
    }

    /** Pushes an artifact that refers to a manifest of app/hello. */
    async function attach(name: string, subject: ReturnType<typeof descriptorOf>): Promise<Manifest> {
      const layout = await openLayout(`${folder.path}/${name}`, { create: true })
      const artifactType = `application/vnd.example.${name}`
      const image = sampleImage(name, { artifactType, subject })
      await putSample(layout, image, ['1'])
      const at = `@${image.manifest.digest}`
      await dray(['copy', `oci:${layout.dir}${at}`, `${host}/app/hello${at}`])
      return image.manifest
    }

    const referrers = () => new Set([signature, sbom, signedSbom].map(manifest => manifest.digest))

    it('holds everything, and ls lists it', async () => {
      const { images } = (await drayJson(['ls', bundle])) as Contents
      expect(images.map(({ name, attachedTo }) => [name, attachedTo])).toEqual([
        [`${host}/app/hello:1.0`, null],
        [`${host}/app/hello:${cosignTag}`, digest],
        [`${host}/db/hello:1.0`, null],
      ])
      expect(new Set(images[0]?.referrers.map(each => each.digest))).toEqual(referrers())
      expect(images[0]?.referrers.map(({ artifactType }) => artifactType).sort()).toEqual([
        'application/vnd.example.sbom',
        'application/vnd.example.signature',
        'application/vnd.example.signed-sbom',
      ])
      const { stdout } = await dray(['ls', bundle])
      expect(stdout.split('\n').map(line => line.split(/ {2,}/))).toEqual([
        [
          `${host}/app/hello:1.0`,
          digest,
          '9.7 kB',
          'linux/amd64,linux/arm64,linux/arm/v7 + 4 that belong to it',
        ],
        [`${host}/db/hello:1.0`, dbDigest, '8.6 kB', 'linux/amd64,linux/arm64,linux/arm/v7'],
        [''],
      ])
    })

    it('stores what is shared once, and is the same when it is made again', async () => {
      const again = `${folder.path}/again.tar`
      await dray(['pull', '--referrers', `${host}/db/hello:1.0`, `${host}/app/hello:1.0`, again])
      expect((await readFile(again)).equals(await readFile(bundle))).toBe(true)
      const { stdout } = await run('tar', ['-tf', bundle])
      const names = stdout.split('\n').filter(name => name !== '')
      expect(new Set(names).size).toBe(names.length)
    })

    it('holds the images alone without --referrers', async () => {
      const plain = `${folder.path}/plain.tar`
      await dray(['pull', `${host}/app/hello:1.0`, plain])
      expect(await drayJson(['ls', plain])).toMatchObject({ images: [{ referrers: [] }] })
      expect(((await drayJson(['ls', plain])) as Contents).images).toHaveLength(1)
    })

    it('holds only what belongs to the platforms that it is for', async () => {
      const path = `${folder.path}/arm64.tar`
      await dray(['pull', '--referrers', '--platform', 'linux/arm64', `${host}/app/hello:1.0`, path])
      const { images } = (await drayJson(['ls', path])) as Contents
      expect(new Set(images[0]?.referrers.map(each => each.digest))).toEqual(
        new Set([sbom.digest, signedSbom.digest]),
      )
      expect(images).toHaveLength(1)
    })

    it('is pushed with all tags and referrers, and unchanged digests', async () => {
      const pushed = (await drayJson(['push', bundle, `${site.host}/mirror`])) as Contents
      expect(pushed.images.map(image => image.digest)).toEqual([
        digest,
        fixtureDescriptor('hello', '1.1').digest,
        dbDigest,
      ])
      expect((await dray(['digest', `${site.host}/mirror/app/hello:1.0`])).stdout).toBe(`${digest}\n`)
      expect((await dray(['digest', `${site.host}/mirror/db/hello:1.0`])).stdout).toBe(`${dbDigest}\n`)
      const tags = (await dray(['ls', `${site.host}/mirror/app/hello`])).stdout.split('\n')
      expect(tags).toEqual(expect.arrayContaining(['1.0', cosignTag]))
      // Pulled again from a registry without the referrers API, it is the same but for its names.
      const back = `${folder.path}/back.tar`
      await dray(['pull', '--referrers', `${site.host}/mirror/app/hello:1.0`, back])
      const { images } = (await drayJson(['ls', back])) as Contents
      expect(new Set(images[0]?.referrers.map(each => each.digest))).toEqual(referrers())
    })

    it('is pushed as one image too, under another name, with all that belongs to it', async () => {
      const to = `${site.host}/other/name:2`
      const pushed = await drayJson(['push', '--image', `${host}/app/hello:1.0`, bundle, to])
      const [image] = (pushed as Contents).images
      expect(image?.referrers).toHaveLength(4)
      const tags = (await dray(['ls', `${site.host}/other/name`])).stdout.split('\n')
      expect(tags).toEqual(expect.arrayContaining(['2', cosignTag]))
    })

    it('is added to, and keeps what it held', async () => {
      const path = `${folder.path}/growing.tar`
      await dray(['pull', `${host}/app/hello:1.0`, path])
      await dray(['pull', '--referrers', `${host}/db/hello:1.0`, path])
      await dray(['pull', '--referrers', `${host}/app/hello:1.0`, path])
      expect((await readFile(path)).equals(await readFile(bundle))).toBe(true)
    })

    it('is the only image of its kind for verbs that take one, though others refer to it', async () => {
      const path = `${folder.path}/single.tar`
      await dray(['pull', '--referrers', `${host}/app/hello:1.0`, path])
      expect((await dray(['digest', `oci-archive:${path}`])).stdout).toBe(`${digest}\n`)
    })

    it('is laid out as a registry of its own, and served to others', async () => {
      const laidOut = `${folder.path}/laid-out`
      const { stdout } = await dray(['push', bundle, `oci:${laidOut}`])
      expect(stdout).toContain(`oci:${laidOut}/app/hello:1.0@${digest}\n`)
      const served = await serve('laid-out')
      expect((await dray(['catalog', served])).stdout).toBe('app/hello\ndb/hello\n')
      expect((await dray(['digest', `${served}/app/hello:1.0`])).stdout).toBe(`${digest}\n`)
      const back = `${folder.path}/from-served.tar`
      await dray(['pull', '--referrers', `${served}/app/hello:1.0`, back])
      const { images } = (await drayJson(['ls', back])) as Contents
      expect(new Set(images[0]?.referrers.map(each => each.digest))).toEqual(referrers())
      if (requirePeers('skopeo')) {
        await mkdir(`${folder.path}/skopeo`)
        await skopeo(['copy', '--all', `docker://${served}/app/hello:1.0`, `dir:${folder.path}/skopeo`])
        expect((await dray(['digest', `dir:${folder.path}/skopeo`])).stdout).toBe(`${digest}\n`)
      }
      if (requirePeers('crane')) {
        expect((await crane(['digest', `${served}/db/hello:1.0`])).stdout).toBe(`${dbDigest}\n`)
        await crane(['validate', '--remote', `${served}/app/hello:1.0`])
      }
      if (requirePeers('oras')) {
        const discovered = await oras([
          'discover',
          '--plain-http',
          '--format',
          'json',
          `${served}/app/hello:1.0`,
        ])
        expect(discovered.stdout).toContain(signature.digest)
      }
    })

    it('is an OCI layout when it is unpacked by others, which is read in the same way', async () => {
      const unpacked = `${folder.path}/unpacked`
      await mkdir(unpacked)
      expect(await run('tar', ['-xf', bundle, '-C', unpacked])).toMatchObject({ code: 0 })
      const { images } = (await drayJson(['ls', unpacked])) as Contents
      expect(images).toEqual(((await drayJson(['ls', bundle])) as Contents).images)
      await dray(['push', unpacked, `${site.host}/unpacked`])
      expect((await dray(['digest', `${site.host}/unpacked/app/hello:1.0`])).stdout).toBe(`${digest}\n`)
    })

    it('is served when it is unpacked by others, to be read only', async () => {
      await mkdir(`${folder.path}/as-it-is`)
      expect(await run('tar', ['-xf', bundle, '-C', `${folder.path}/as-it-is`])).toMatchObject({ code: 0 })
      const served = await serve('as-it-is')
      expect((await dray(['catalog', served])).stdout).toBe('app/hello\ndb/hello\n')
      expect((await dray(['ls', `${served}/db/hello`])).stdout).toBe('1.0\n')
      const back = `${folder.path}/from-unpacked.tar`
      await dray(['pull', '--referrers', `${served}/app/hello:1.0`, back])
      const { images } = (await drayJson(['ls', back])) as Contents
      expect(images[0]).toMatchObject({ digest })
      expect(new Set(images[0]?.referrers.map(each => each.digest))).toEqual(referrers())
      if (requirePeers('crane')) await crane(['validate', '--remote', `${served}/app/hello:1.0`])
      await drayFails(1, ['copy', '-q', `oci:${fixturePath('hello')}:1.0`, `${served}/app/hello:2.0`])
    })

    it('that is damaged is told as such', async () => {
      const path = `${folder.path}/cut.tar`
      const bytes = await readFile(bundle)
      await writeFile(path, bytes.subarray(0, bytes.length / 2))
      expect(await drayFails(6, ['push', '-q', path, `${site.host}/cut`])).toContain('cut off')
    })
  })
})

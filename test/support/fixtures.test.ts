import { spawnSync } from 'node:child_process'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import tar from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/oci/config.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { childBlobs, childManifests, type Manifest } from '../../src/oci/manifest.ts'
import { parseManifest } from '../../src/oci/parse-manifest.ts'
import { formatPlatform } from '../../src/oci/platform.ts'
import {
  type FixtureLayout,
  fixtureDescriptor,
  fixturePath,
  readFixtureBlob,
  readFixtureManifest,
  readOddManifest,
} from './fixtures.ts'
import { makeTempDir } from './temp-dir.ts'

const layouts: FixtureLayout[] = ['hello', 'hello-docker']

function imagesOf(layout: FixtureLayout, tag: string): Manifest[] {
  const index = readFixtureManifest(layout, fixtureDescriptor(layout, tag))
  return childManifests(index).map(child => readFixtureManifest(layout, child))
}

describe.each(layouts)('fixtures/%s', layout => {
  it('holds blobs that are named by their digests', async () => {
    const folder = fixturePath(layout, 'blobs', 'sha256')
    const names = await readdir(folder)
    const digests = await Promise.all(names.map(async name => digestOf(await readFile(join(folder, name)))))
    expect(digests).toEqual(names.map(name => `sha256:${name}`))
  })

  it('lists three platforms, each with the sizes and uncompressed digests that its documents say', () => {
    const index = readFixtureManifest(layout, fixtureDescriptor(layout, '1.0'))
    const platforms = childManifests(index).map(({ platform }) => platform && formatPlatform(platform))
    expect(platforms).toEqual(['linux/amd64', 'linux/arm64', 'linux/arm/v7'])
    for (const image of imagesOf(layout, '1.0')) {
      const [config, ...layers] = childBlobs(image).map(blob => ({
        blob,
        bytes: readFixtureBlob(layout, blob.digest),
      }))
      for (const { blob, bytes } of layers) expect(bytes.length).toBe(blob.size)
      const parsed = parseConfig(config?.bytes ?? Buffer.alloc(0), 'config')
      expect(layers.map(({ bytes }) => digestOf(gunzipSync(bytes)))).toEqual(parsed.rootfs?.diff_ids)
      expect(parsed.history?.filter(entry => entry.empty_layer !== true)).toHaveLength(layers.length)
    }
  })
})

describe('fixtures/hello', () => {
  it('has one digest under 1.0 and stable, and another under 1.1 and latest', () => {
    const [first, stable, second, latest] = ['1.0', 'stable', '1.1', 'latest'].map(
      tag => fixtureDescriptor('hello', tag).digest,
    )
    expect(stable).toBe(first)
    expect(latest).toBe(second)
    expect(second).not.toBe(first)
  })

  it('shares its base layer between all platforms and versions', () => {
    const images = [...imagesOf('hello', '1.0'), ...imagesOf('hello', '1.1')]
    expect(new Set(images.map(image => childBlobs(image)[1]?.digest)).size).toBe(1)
  })

  it.runIf(process.platform === 'linux' && process.arch === 'x64').each(['1.0', '1.1'])(
    'carries a program for amd64 that runs and says it is %s',
    async version => {
      const program = childBlobs(imagesOf('hello', version)[0] ?? expect.fail('no image'))[2]
      const file = await extract(
        readFixtureBlob('hello', program?.digest ?? expect.fail('no layer')),
        'bin/hello',
      )
      await using folder = await makeTempDir()
      const path = join(folder.path, 'hello')
      await writeFile(path, file)
      await chmod(path, 0o755)
      expect(spawnSync(path, { encoding: 'utf8' })).toMatchObject({
        status: 0,
        stdout: `hello ${version} on linux/amd64\n`,
      })
    },
  )

  it('carries programs for the machines that the index says', async () => {
    const machines = await Promise.all(
      imagesOf('hello', '1.0').map(async image => {
        const program = childBlobs(image)[2] ?? expect.fail('no layer')
        // e_machine of the ELF header
        return (await extract(readFixtureBlob('hello', program.digest), 'bin/hello')).readUInt16LE(18)
      }),
    )
    expect(machines).toEqual([62, 183, 40])
  })
})

describe('fixtures/manifests', () => {
  it.each(['nested-index', 'unknown-index-entry', 'buildx-index', 'no-media-type'])(
    '%s points at what is in fixtures/hello or beside it',
    async name => {
      const manifest = parseManifest(readOddManifest(name))
      const beside = await readdir(fixturePath('manifests'))
      const known = new Map(
        await Promise.all(
          beside.map(async file => {
            const bytes = await readFile(fixturePath('manifests', file))
            return [digestOf(bytes), bytes] as const
          }),
        ),
      )
      for (const { digest, size } of [...childManifests(manifest), ...childBlobs(manifest)]) {
        expect((known.get(digest) ?? readFixtureBlob('hello', digest)).length).toBe(size)
      }
    },
  )

  it.each(['artifact', 'oci-artifact-manifest'])('%s has hello:1.0 as its subject', name => {
    const { digest, size, mediaType } = fixtureDescriptor('hello', '1.0')
    expect(JSON.parse(readOddManifest(name).toString())).toMatchObject({
      subject: { digest, size, mediaType },
    })
  })
})

async function extract(layer: Buffer, name: string): Promise<Buffer> {
  const files = tar.extract()
  files.end(gunzipSync(layer))
  for await (const entry of files) {
    const content = await buffer(entry)
    if (entry.header.name === name) return content
  }
  return expect.fail(`no ${name} in the layer`)
}

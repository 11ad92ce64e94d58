import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openImageFolder } from '../../src/dir/image-folder.ts'
import { createTransport } from '../../src/http/send.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { Registry } from '../../src/registry/registry.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { skopeo } from '../end-to-end/peers.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { type FixtureLayout, fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'

const layouts: readonly FixtureLayout[] = ['hello', 'hello-docker']

describe.skipIf(!requirePeers('skopeo'))('skopeo and ourselves', { timeout: 30_000 }, () => {
  const opened = new AsyncDisposableStack()
  let host = ''
  let repository: (layout: FixtureLayout) => Repository
  beforeAll(async () => {
    host = opened.use(await startEmbeddedRegistry()).host
    const transport = opened.adopt(createTransport(), ({ close }) => close())
    const registry = new Registry({ registry: host, send: transport.send })
    repository = layout => registry.repository(layout, 'pull,push')
    for (const layout of layouts) {
      const source = await openLayout(fixturePath(layout))
      await copyImage({ source, from: '1.0', destination: repository(layout), tags: ['1.0'] })
    }
  })
  afterAll(() => opened.disposeAsync())

  let folder: TempDir
  let theirs: string
  let ours: string
  beforeEach(async () => {
    folder = await makeTempDir()
    theirs = join(folder.path, 'theirs')
    ours = join(folder.path, 'ours')
  })
  afterEach(() => folder.remove())

  const writeTheirs = (layout: FixtureLayout, dir = theirs) =>
    skopeo(['copy', '--all', `docker://${host}/${layout}:1.0`, `dir:${dir}`])

  async function writeOurs(layout: FixtureLayout): Promise<void> {
    const destination = await openImageFolder(ours, { create: true })
    await copyImage({ source: repository(layout), from: '1.0', destination, tags: [] })
    await destination.finish()
  }

  async function contentOf(dir: string): Promise<Record<string, string>> {
    const contents = (await readdir(dir)).map(
      async name => [name, await readFile(join(dir, name), 'latin1')] as const,
    )
    return Object.fromEntries(await Promise.all(contents))
  }

  describe.each(layouts)('%s', layout => {
    const { digest } = fixtureDescriptor(layout, '1.0')

    it('is written into the same files by both', async () => {
      await writeTheirs(layout)
      await writeOurs(layout)
      expect(await contentOf(ours)).toEqual(await contentOf(theirs))
    })

    it('goes from a folder that skopeo wrote to a registry, with its digest', async () => {
      await writeTheirs(layout)
      const source = await openImageFolder(theirs)
      const from = await source.soleReference()
      const destination = repository(layout)
      expect(await copyImage({ source, from, destination, tags: ['back'], force: true })).toMatchObject({
        digest,
        manifests: { copied: 4 },
      })
    })

    it('goes from a folder that we wrote to a registry by skopeo, with its digest', async () => {
      await writeOurs(layout)
      const to = `docker://${host}/${layout}:by-skopeo`
      await skopeo(['copy', '--all', '--preserve-digests', `dir:${ours}`, to])
      expect(await repository(layout).resolve('by-skopeo')).toMatchObject({ digest })
    })
  })

  it('take the place of one another in one folder', async () => {
    await writeTheirs('hello-docker', ours)
    await writeOurs('hello')
    await writeTheirs('hello')
    expect(await contentOf(ours)).toEqual(await contentOf(theirs))
    await writeTheirs('hello-docker', ours)
    await writeTheirs('hello-docker')
    expect(await contentOf(ours)).toEqual(await contentOf(theirs))
  })
})

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { type FixtureLayout, fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { dray, drayJson, patience } from './dray.ts'
import { crane, oras, skopeo } from './peers.ts'

const layouts: readonly FixtureLayout[] = ['hello', 'hello-docker']

describe.skipIf(!requirePeers('docker-registry'))('between dray and its peers', patience, () => {
  const opened = new AsyncDisposableStack()
  let host = ''
  let folder: TempDir
  /** The folder of a layout that does not exist yet. */
  const newLayout = (name: string) => join(folder.path, name)

  beforeAll(async () => {
    host = opened.use(await startDockerRegistry()).host
    folder = opened.use(await makeTempDir())
    await Promise.all(
      layouts.map(layout => dray(['copy', `oci:${fixturePath(layout)}:1.0`, `${host}/dray/${layout}:1.0`])),
    )
  })
  afterAll(() => opened.disposeAsync())

  describe.each(layouts)('%s', layout => {
    const { digest, mediaType } = fixtureDescriptor(layout, '1.0')
    const ours = () => `${host}/dray/${layout}:1.0`

    /** Copies what a peer wrote into a layout of ours, which verifies all of it. */
    async function drayReads(location: string, name: string): Promise<void> {
      const result = await drayJson(['copy', location, `oci:${newLayout(name)}:1.0`])
      expect(result).toMatchObject({ digest, mediaType, manifests: { copied: 4 }, blobs: { copied: 7 } })
    }

    it.skipIf(!requirePeers('skopeo'))('goes to skopeo and comes back the same', async () => {
      const theirs = `${host}/skopeo/${layout}:1.0`
      await skopeo(['copy', '--all', `docker://${ours()}`, `docker://${theirs}`])
      expect((await dray(['digest', theirs])).stdout).toBe(`${digest}\n`)
      await drayReads(theirs, `${layout}-skopeo`)
      const { stdout } = await skopeo(['inspect', '--format', '{{.Digest}}', `docker://${ours()}`])
      expect(stdout).toBe(`${digest}\n`)
    })

    it.skipIf(!requirePeers('crane'))('goes to crane and comes back the same', async () => {
      const theirs = `${host}/crane/${layout}:1.0`
      await crane(['copy', ours(), theirs])
      await crane(['validate', '--remote', ours()])
      expect((await crane(['digest', ours()])).stdout).toBe(`${digest}\n`)
      await drayReads(theirs, `${layout}-crane`)
    })

    it.skipIf(!requirePeers('oras'))('goes to oras and comes back the same', async () => {
      const theirs = `${host}/oras/${layout}:1.0`
      await oras(['copy', '--from-plain-http', '--to-plain-http', ours(), theirs])
      expect((await oras(['resolve', '--plain-http', ours()])).stdout.trim()).toBe(digest)
      await drayReads(theirs, `${layout}-oras`)
    })

    it.skipIf(!requirePeers('oras'))('is read by oras from a layout that dray wrote', async () => {
      const written = newLayout(`${layout}-for-oras`)
      await dray(['copy', ours(), `oci:${written}:1.0`])
      const to = `${host}/oras-from-layout/${layout}:1.0`
      await oras(['copy', '--from-oci-layout', '--to-plain-http', `${written}:1.0`, to])
      expect((await dray(['digest', to])).stdout).toBe(`${digest}\n`)
    })

    it.skipIf(!requirePeers('oras'))('is read from a layout that oras wrote, and added to it', async () => {
      const written = newLayout(`${layout}-by-oras`)
      await oras(['copy', '--from-plain-http', '--to-oci-layout', ours(), `${written}:1.0`])
      await drayReads(`oci:${written}:1.0`, `${layout}-back-from-oras`)
      await dray(['copy', ours(), `oci:${written}:added`])
      const tags = await oras(['repo', 'tags', '--oci-layout', written])
      expect(tags.stdout.split('\n').sort()).toEqual(['', '1.0', 'added'])
    })
  })

  const { digest } = fixtureDescriptor('hello', '1.0')

  it.skipIf(!requirePeers('skopeo'))('skopeo reads a layout that dray wrote', async () => {
    const written = newLayout('for-skopeo')
    await dray(['copy', `${host}/dray/hello:1.0`, `oci:${written}:1.0`])
    const to = `${host}/skopeo-from-layout/hello:1.0`
    await skopeo(['copy', '--all', `oci:${written}:1.0`, `docker://${to}`])
    expect((await dray(['digest', to])).stdout).toBe(`${digest}\n`)
  })

  it.skipIf(!requirePeers('skopeo'))('dray reads a layout that skopeo wrote', async () => {
    const written = newLayout('by-skopeo')
    await skopeo(['copy', '--all', `docker://${host}/dray/hello:1.0`, `oci:${written}:1.0`])
    const to = `${host}/dray-from-skopeo/hello:1.0`
    const result = await drayJson(['copy', `oci:${written}:1.0`, to])
    expect(result).toMatchObject({ digest, platforms: ['linux/amd64', 'linux/arm64', 'linux/arm/v7'] })
  })

  it.skipIf(!requirePeers('crane'))('crane reads a layout that dray wrote', async () => {
    const written = newLayout('for-crane')
    await dray(['copy', `${host}/dray/hello:1.0`, `oci:${written}:1.0`])
    // crane pushes a layout's index.json itself, unless it lists one image alone.
    const to = `${host}/crane-from-layout/hello:1.0`
    await crane(['push', '--index', written, to])
    const [child] = (JSON.parse((await dray(['manifest', to])).stdout) as { manifests: { digest: string }[] })
      .manifests
    expect(child?.digest).toBe(digest)
    await crane(['validate', '--remote', to])
  })

  it.skipIf(!requirePeers('crane'))('dray reads a layout that crane wrote', async () => {
    const written = newLayout('by-crane')
    await crane(['pull', '--format', 'oci', `${host}/dray/hello:1.0`, written])
    expect(await drayJson(['copy', `oci:${written}`, `${host}/dray-from-crane/hello:1.0`])).toMatchObject({
      digest,
    })
  })

  it.skipIf(!requirePeers('oras'))('an artifact of oras is copied, and pulled by oras again', async () => {
    const file = join(folder.path, 'notes.txt')
    await writeFile(file, 'what an artifact may be\n')
    const type = 'application/vnd.example.notes'
    const from = `${host}/artifacts/notes:1`
    await oras(['push', '--plain-http', '--artifact-type', type, from, 'notes.txt'], {
      cwd: folder.path,
    })
    expect(await drayJson(['inspect', from])).toMatchObject({ artifactType: type, config: null })
    const to = `${host}/artifacts/copied:1`
    await dray(['copy', from, to])
    await oras(['pull', '--plain-http', '--output', newLayout('pulled'), to])
    expect(await readFile(join(folder.path, 'pulled/notes.txt'))).toEqual(await readFile(file))
  })
})

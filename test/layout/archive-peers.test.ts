import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ImageSource } from '../../src/image-store.ts'
import { openLayout } from '../../src/layout/layout.ts'
import { openLayoutArchive } from '../../src/layout/layout-archive.ts'
import { openLayoutArchiveDestination } from '../../src/layout/layout-archive-destination.ts'
import { copyImage } from '../../src/transfer/copy.ts'
import { crane, oras, skopeo } from '../end-to-end/peers.ts'
import { startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { fixtureDescriptor, fixturePath } from '../support/fixtures.ts'
import { requirePeers } from '../support/peers.ts'
import { makeTempDir, type TempDir } from '../support/temp-dir.ts'
import { gnuTar, hasGnuTar } from '../tar/gnu-tar.ts'

const patience = { timeout: 30_000 }
const fixture = fixturePath('hello')
const { digest } = fixtureDescriptor('hello', '1.0')

let folder: TempDir
let inFolder: (name: string) => string
beforeEach(async () => {
  folder = await makeTempDir()
  inFolder = name => join(folder.path, name)
})
afterEach(() => folder.remove())

async function writeArchive(file: string): Promise<string> {
  const path = inFolder(file)
  await using destination = await openLayoutArchiveDestination(path, { tmpDir: folder.path })
  const source = await openLayout(fixture)
  for (const tag of ['1.0', '1.1']) await copyImage({ source, from: tag, destination, tags: [tag] })
  await destination.finish()
  return path
}

/** Copies all of an image into a layout of ours, which verifies it; gives back its digest. */
async function copyOut(source: ImageSource, from: string) {
  const destination = await openLayout(inFolder('copied'), { create: true })
  return copyImage({ source, from, destination, tags: ['1.0'] })
}

const everything = { digest, manifests: { copied: 4 }, blobs: { copied: 7 } }

describe('umoci', () => {
  it('makes a layout that is read, also as an archive with "./" in front of its names', async () => {
    const path = fixturePath('oci-archives', 'umoci.tar')
    await using archive = await openLayoutArchive(path, { tmpDir: folder.path })
    expect(await archive.listTags()).toEqual(['made'])
    const copied = await copyOut(archive, 'made')
    expect(copied).toMatchObject({ digest: (await archive.resolve('made')).digest, blobs: { copied: 4 } })
  })
})

describe.skipIf(!requirePeers('skopeo'))('skopeo', patience, () => {
  it('writes an archive that is read', async () => {
    await skopeo(['copy', '--all', `oci:${fixture}:1.0`, `oci-archive:${inFolder('a.tar')}:1.0`])
    await using archive = await openLayoutArchive(inFolder('a.tar'), { tmpDir: folder.path })
    expect(await copyOut(archive, '1.0')).toMatchObject(everything)
  })

  it.each(['a.tar', 'a.tar.gz', 'a.tar.zst'])('reads what we write as %s', async file => {
    const path = await writeArchive(file)
    await skopeo(['copy', '--all', `oci-archive:${path}:1.0`, `oci:${inFolder('out')}:1.0`])
    expect(await (await openLayout(inFolder('out'))).resolve('1.0')).toMatchObject({ digest })
  })

  it('reads an archive of its own to which we have added', async () => {
    const path = inFolder('a.tar')
    await skopeo(['copy', '--all', `oci:${fixture}:1.1`, `oci-archive:${path}:old`])
    await writeArchive('a.tar')
    for (const tag of ['old', '1.0', '1.1']) {
      await skopeo(['copy', '--all', `oci-archive:${path}:${tag}`, `oci:${inFolder('out')}:${tag}`])
    }
    expect(await (await openLayout(inFolder('out'))).listTags()).toEqual(['1.0', '1.1', 'old'])
  })
})

describe.skipIf(!requirePeers('oras'))('oras', patience, () => {
  it('reads what we write', async () => {
    const path = await writeArchive('a.tar')
    await oras(['copy', '--from-oci-layout', '--to-oci-layout', `${path}:1.0`, `${inFolder('out')}:1.0`])
    expect(await (await openLayout(inFolder('out'))).resolve('1.0')).toMatchObject({ digest })
  })
})

describe.skipIf(!requirePeers('crane') || !hasGnuTar)('crane', patience, () => {
  it('reads the layout in what we write, and its own layout is read from an archive', async () => {
    await using registry = await startEmbeddedRegistry()
    const name = `${registry.host}/test/hello`
    const unpacked = inFolder('unpacked')
    await mkdir(unpacked)
    await gnuTar(['-xf', await writeArchive('a.tar'), '-C', unpacked])
    await crane(['push', '--index', unpacked, `${name}:all`])
    await crane(['pull', '--format', 'oci', `${name}@${digest}`, inFolder('pulled')])
    await gnuTar(['-cf', inFolder('b.tar'), '-C', inFolder('pulled'), '.'])
    await using archive = await openLayoutArchive(inFolder('b.tar'), { tmpDir: folder.path })
    expect(await copyOut(archive, await archive.soleReference())).toMatchObject(everything)
  })
})

import { writeFile } from 'node:fs/promises'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { tarOf } from '../../src/tar/tar-writer.ts'
import { chunksOf } from '../support/sample-image.ts'
import { bytesOf } from '../tar/sample-tar.ts'

/** The files of an archive by their names; a link is what it leads to, and a name with a slash behind is a folder. */
export type Files = Readonly<Record<string, string | Uint8Array | { readonly link: string }>>

/** The bytes of an archive with these files, in this order. */
export function archiveOf(files: Files): Promise<Buffer> {
  return bytesOf(
    tarOf('sample', async tar => {
      for (const [name, content] of Object.entries(files)) {
        if (typeof content === 'object' && 'link' in content) {
          await tar.add({ name, type: 'symlink', linkname: content.link })
          continue
        }
        if (name.endsWith('/')) {
          await tar.add({ name, type: 'directory' })
          continue
        }
        const bytes = Buffer.from(content)
        await tar.add({ name, size: bytes.length }, chunksOf(bytes))
      }
    }),
  )
}

export async function writeArchive(path: string, files: Files): Promise<string> {
  await writeFile(path, await archiveOf(files))
  return path
}

/** A config for layers with these contents, as JSON. */
export function configFor(layers: readonly (string | Uint8Array)[], extra: object = {}): string {
  const rootfs = { type: 'layers', diff_ids: layers.map(layer => digestOf(layer)) }
  return JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs, ...extra })
}

/** An archive of one image, as docker 1.10 and later list it. */
export function imageFiles(
  layers: readonly (string | Uint8Array)[],
  names: readonly string[] = ['hello:1.0'],
): Files {
  const paths = layers.map((_, at) => `${at}/layer.tar`)
  const item = { Config: 'config.json', RepoTags: names, Layers: paths }
  return {
    'manifest.json': JSON.stringify([item]),
    'config.json': configFor(layers),
    ...Object.fromEntries(layers.map((layer, at) => [paths[at], layer])),
  }
}

/** The files of an OCI layout beside others: its blobs, and the manifests that index.json lists. */
export function layoutFiles(blobs: readonly (string | Uint8Array)[], manifests: readonly object[]): Files {
  return {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({ schemaVersion: 2, manifests }),
    ...Object.fromEntries(blobs.map(blob => [blobPath(blob), blob])),
  }
}

/** Where a layout has this blob. */
export function blobPath(blob: string | Uint8Array): string {
  return `blobs/sha256/${hexOf(digestOf(blob))}`
}

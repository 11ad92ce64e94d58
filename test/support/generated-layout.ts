import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { hexOf } from '../../src/oci/digest.ts'
import { descriptorOf, type Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { type SampleBlob, sampleBlob, sampleManifest } from './sample-image.ts'
import { fastParent, makeTempDir } from './temp-dir.ts'

/** An OCI layout in a folder of its own that holds one image, tagged `big`. */
export interface GeneratedLayout extends AsyncDisposable {
  readonly path: string
  readonly manifest: Manifest
  readonly layers: readonly Descriptor[]
  remove(): Promise<void>
}

/** Writes a layout, without the program's own code for layouts; its layers are random bytes of the given sizes. */
export async function generateLayout(...layerSizes: readonly number[]): Promise<GeneratedLayout> {
  const folder = await makeTempDir(await fastParent())
  const path = join(folder.path, 'layout')
  const layers = layerSizes.map(size =>
    sampleBlob(randomBytes(size), 'application/vnd.oci.image.layer.v1.tar'),
  )
  const config = sampleBlob(JSON.stringify({ architecture: 'amd64', os: 'linux' }), mediaTypes.ociConfig)
  const manifest = sampleManifest({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  })
  const descriptor = descriptorOf(manifest)
  await mkdir(join(path, 'blobs/sha256'), { recursive: true })
  for (const blob of [...layers, config, { bytes: Buffer.from(manifest.bytes), descriptor }]) {
    await writeBlob(path, blob)
  }
  const annotations = { 'org.opencontainers.image.ref.name': 'big' }
  const index = { schemaVersion: 2, manifests: [{ ...descriptor, annotations }] }
  await writeFile(join(path, 'index.json'), JSON.stringify(index))
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return {
    path,
    manifest,
    layers: layers.map(layer => layer.descriptor),
    remove: folder.remove,
    [Symbol.asyncDispose]: folder.remove,
  }
}

async function writeBlob(path: string, { bytes, descriptor }: SampleBlob): Promise<void> {
  await writeFile(join(path, 'blobs/sha256', hexOf(descriptor.digest)), bytes)
}

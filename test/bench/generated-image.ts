import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { type Digest, DigestCounter, digestOf, hexOf } from '../../src/oci/digest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import type { ImageShape } from './case.ts'

/**
 * Writes an OCI layout with one image, tagged `big`, and answers its digest. Layers are gzip that compresses nothing, since
 * some programs compress what is not compressed yet.
 * @throws the signal's reason when it aborts
 */
export async function generateImage(path: string, shape: ImageShape, signal?: AbortSignal): Promise<Digest> {
  await mkdir(join(path, 'blobs/sha256'), { recursive: true })
  const images: Descriptor[] = []
  while (images.length < shape.platforms) {
    const platform = { os: 'linux', architecture: 'arm', variant: `v${images.length + 1}` }
    images.push(await writeImage(path, { shape, platform, signal }))
  }
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: images }
  const [only, second] = images
  const root = only && !second ? only : await writeDocument(path, mediaTypes.ociIndex, index)
  const tagged = { ...root, annotations: { 'org.opencontainers.image.ref.name': 'big' } }
  await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [tagged] }))
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return root.digest
}

interface ImageOptions {
  readonly shape: ImageShape
  readonly platform: NonNullable<Descriptor['platform']>
  readonly signal: AbortSignal | undefined
}

async function writeImage(path: string, { shape, platform, signal }: ImageOptions): Promise<Descriptor> {
  const layers: Layer[] = []
  while (layers.length < shape.layers) layers.push(await writeLayer(path, shape.layerBytes, signal))
  const config = await writeDocument(path, mediaTypes.ociConfig, {
    ...platform,
    rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
  })
  const manifest = await writeDocument(path, mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: layers.map(layer => layer.descriptor),
  })
  return { ...manifest, platform }
}

async function writeDocument(path: string, mediaType: string, document: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(document))
  const digest = digestOf(bytes)
  await writeFile(blobPath(path, digest), bytes)
  return { mediaType, digest, size: bytes.length }
}

interface Layer {
  readonly descriptor: Descriptor
  /** The digest of what is compressed. */
  readonly diffId: Digest
}

async function writeLayer(path: string, bytes: number, signal?: AbortSignal): Promise<Layer> {
  const plain = new DigestCounter()
  const packed = new DigestCounter()
  const file = join(path, 'layer')
  await pipeline(
    randomChunks(bytes),
    chunks => countedBy(plain, chunks),
    createGzip({ level: 0, chunkSize: chunkBytes }),
    chunks => countedBy(packed, chunks),
    createWriteStream(file),
    { signal },
  )
  const digest = packed.digest()
  await rename(file, blobPath(path, digest))
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip'
  return { descriptor: { mediaType, digest, size: packed.bytes }, diffId: plain.digest() }
}

const chunkBytes = 1024 * 1024

async function* randomChunks(bytes: number): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; left -= chunkBytes) yield randomBytes(Math.min(left, chunkBytes))
}

async function* countedBy(counter: DigestCounter, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    counter.add(chunk)
    yield chunk
  }
}

function blobPath(path: string, digest: Digest): string {
  return join(path, 'blobs/sha256', hexOf(digest))
}

import { join } from 'node:path'
import { type DockerArchive, openDockerArchive } from '../../src/docker-archive/docker-archive.ts'
import {
  type DockerArchiveDestination,
  openDockerArchiveDestination,
} from '../../src/docker-archive/docker-archive-destination.ts'
import type {
  BlobRange,
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  TagOrDigest,
} from '../../src/image-store.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { isDigest } from '../../src/oci/digest.ts'
import type { Manifest } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { chunksOf, sampleBlob, sampleManifest } from '../support/sample-image.ts'
import { bytesOf } from '../tar/sample-tar.ts'

type Put = (destination: ImageDestination) => Promise<unknown>

/** An archive as a store to write and read: for each reading it is written anew, with all that was put so far. */
export class ReplayedArchive implements ImageSource, ImageDestination {
  readonly name = 'replayed'
  readonly #folder: string
  readonly #puts: Put[] = []
  readonly #live: Promise<DockerArchiveDestination>
  #count = 0

  constructor(folder: string) {
    this.#folder = folder
    this.#live = this.#newArchive()
  }

  resolve(reference: TagOrDigest) {
    const name = isDigest(reference) ? reference : `hello:${reference}`
    return this.#reading(archive => archive.resolve(name))
  }

  getManifest(descriptor: Descriptor) {
    return this.#reading(archive => archive.getManifest(descriptor))
  }

  /** Gives bytes that are all in memory: the archive is closed before they are read. */
  async getBlob(descriptor: Descriptor, range?: BlobRange) {
    const bytes = await this.#reading(async archive => bytesOf(await archive.getBlob(descriptor, range)))
    return chunksOf(bytes)
  }

  async find(reference: TagOrDigest) {
    return (await this.#repository()).find(reference)
  }

  async hasBlob(descriptor: Descriptor) {
    return (await this.#repository()).hasBlob(descriptor)
  }

  async putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions) {
    const result = await (await this.#repository()).putBlob(descriptor, open, options)
    const bytes = await bytesOf(await open())
    this.#puts.push(destination => destination.putBlob(descriptor, async () => chunksOf(bytes)))
    return result
  }

  async putManifest(manifest: Manifest, tags?: readonly string[]) {
    await (await this.#repository()).putManifest(manifest, tags)
    this.#puts.push(destination => destination.putManifest(manifest, tags))
  }

  async close(): Promise<void> {
    await (await this.#live)[Symbol.asyncDispose]()
  }

  async #repository(): Promise<ImageDestination> {
    return (await this.#live).repository('hello')
  }

  async #reading<Result>(read: (archive: DockerArchive) => Promise<Result>): Promise<Result> {
    await using written = await this.#newArchive()
    const destination = written.repository('hello')
    for (const put of this.#puts) await put(destination)
    await putMarker(destination)
    await written.finish()
    await using archive = await openDockerArchive(this.#path(), { tmpDir: this.#folder })
    return await read(archive)
  }

  #newArchive(): Promise<DockerArchiveDestination> {
    this.#count += 1
    return openDockerArchiveDestination(this.#path(), { tmpDir: this.#folder })
  }

  #path(): string {
    return join(this.#folder, `${this.#count}.tar`)
  }
}

/** Without an image there is no archive. */
async function putMarker(destination: ImageDestination): Promise<void> {
  const config = sampleBlob('{"author":"marker"}', mediaTypes.ociConfig)
  await destination.putBlob(config.descriptor, async () => chunksOf(config.bytes))
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: config.descriptor,
    layers: [],
  }
  await destination.putManifest(sampleManifest(document), ['marker'])
}

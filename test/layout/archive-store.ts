import { ifThere } from '../../src/files/io-error.ts'
import type {
  BlobRange,
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  TagOrDigest,
} from '../../src/image-store.ts'
import { type LayoutArchive, openLayoutArchive } from '../../src/layout/layout-archive.ts'
import {
  type LayoutArchiveDestination,
  openLayoutArchiveDestination,
} from '../../src/layout/layout-archive-destination.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import type { Manifest } from '../../src/oci/manifest.ts'

/** An archive as a store to write and read: finished before each reading, and added to after it. */
export class ArchiveStore implements ImageSource, ImageDestination {
  readonly name: string
  readonly verifiesBlobs = true
  readonly #path: string
  readonly #tmpDir: string
  #destination: LayoutArchiveDestination | undefined
  #source: LayoutArchive | undefined

  constructor(path: string, tmpDir: string) {
    this.name = `oci-archive:${path}`
    this.#path = path
    this.#tmpDir = tmpDir
  }

  async resolve(reference: TagOrDigest) {
    return (await this.#read()).resolve(reference)
  }

  async getManifest(descriptor: Descriptor) {
    return (await this.#read()).getManifest(descriptor)
  }

  async getBlob(descriptor: Descriptor, range?: BlobRange) {
    return (await this.#read()).getBlob(descriptor, range)
  }

  async find(reference: TagOrDigest) {
    return ifThere(this.resolve(reference))
  }

  async hasBlob({ digest, size }: Descriptor) {
    return (await (await this.#read()).findBlob(digest))?.size === size
  }

  async putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions) {
    return (await this.#write()).putBlob(descriptor, open, options)
  }

  async putManifest(manifest: Manifest, tags?: readonly string[]) {
    await (await this.#write()).putManifest(manifest, tags)
  }

  async close(): Promise<void> {
    await this.#source?.close()
    await this.#destination?.[Symbol.asyncDispose]()
    this.#source = undefined
    this.#destination = undefined
  }

  async #read(): Promise<LayoutArchive> {
    if (this.#source !== undefined) return this.#source
    const destination = await this.#write()
    await destination.finish()
    await this.close()
    this.#source = await openLayoutArchive(this.#path, { tmpDir: this.#tmpDir })
    return this.#source
  }

  async #write(): Promise<LayoutArchiveDestination> {
    if (this.#destination !== undefined) return this.#destination
    await this.close()
    this.#destination = await openLayoutArchiveDestination(this.#path, { tmpDir: this.#tmpDir })
    return this.#destination
  }
}

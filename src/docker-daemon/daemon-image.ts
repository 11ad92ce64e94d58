import { type DockerArchive, openDockerArchive } from '../docker-archive/docker-archive.ts'
import { DrayError, quote } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type { BlobRange, ImageSource, TagOrDigest } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isIndexType } from '../oci/media-types.ts'
import type { Engine } from './engine.ts'

export interface DaemonImageOptions {
  /** Where the image is put while it is read; must be there. */
  readonly tmpDir: string
  readonly signal?: AbortSignal | undefined
}

/**
 * An image of an engine as a store, to be read. What is asked of it beyond its digest comes from an archive that the
 * engine makes, once, and that lies in the temporary folder until this is closed.
 *
 * An engine that keeps images unpacked (docker without containerd's store, podman) has not kept the manifest either: see
 * `DockerArchive` for the one that is made.
 */
export class DaemonImage implements ImageSource, AsyncDisposable {
  readonly name: string
  readonly #engine: Engine
  readonly #image: string
  readonly #options: DaemonImageOptions
  #archive: Promise<DockerArchive> | undefined

  /** @param image a name or an image ID, as the engine knows it */
  constructor(engine: Engine, image: string, options: DaemonImageOptions) {
    this.name = `docker-daemon:${image}`
    this.#engine = engine
    this.#image = image
    this.#options = options
  }

  /** Takes the image's name as it was given, or a manifest's digest. */
  async resolve(reference: TagOrDigest): Promise<Descriptor> {
    if (reference === this.#image) return this.#resolveImage()
    if (isDigest(reference)) return (await this.#open()).resolve(reference)
    throw new DrayError('NOT_FOUND', `${this.name}: there is no ${quote(reference)} in it`)
  }

  async getManifest(descriptor: Descriptor): Promise<Manifest> {
    return (await this.#open()).getManifest(descriptor)
  }

  async getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    return (await this.#open()).getBlob(descriptor, range)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const [archive] = await Promise.allSettled([this.#archive])
    if (archive.status === 'fulfilled') await archive.value?.close()
  }

  async #resolveImage(): Promise<Descriptor> {
    const found = await this.#engine.findImage(this.#image)
    if (found === undefined) {
      throw new DrayError('NOT_FOUND', `${this.name}: the engine at ${this.#engine.name} has no such image`)
    }
    const { descriptor } = found
    // Of an index the engine may have one image only, and its archive tells.
    if (descriptor !== undefined && !isIndexType(descriptor.mediaType)) {
      const { mediaType, digest, size } = descriptor
      return { mediaType, digest, size }
    }
    const archive = await this.#open()
    return archive.resolve(archive.soleReference())
  }

  #open(): Promise<DockerArchive> {
    this.#archive ??= this.#save()
    return this.#archive
  }

  async #save(): Promise<DockerArchive> {
    const content = await this.#engine.save(this.#image)
    return openDockerArchive(content, { ...this.#options, name: this.name })
  }
}

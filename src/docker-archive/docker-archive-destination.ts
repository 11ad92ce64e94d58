import { rm } from 'node:fs/promises'
import { onDisk } from '../files/io-error.ts'
import type { ImageDestination } from '../image-store.ts'
import { type ArchiveTarget, openArchiveTarget, type WriteArchive } from '../layout/archive-target.ts'
import { Layout } from '../layout/layout.ts'
import { LayoutFolder } from '../layout/layout-folder.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Platform } from '../oci/platform.ts'
import { formatReference, parseRepository } from '../oci/reference.ts'
import type { CompressOptions } from '../tar/compress.ts'
import type { TarWriter } from '../tar/tar-writer.ts'
import { ArchiveRepository } from './archive-repository.ts'
import { ImageCollection } from './image-collection.ts'
import { packDocker } from './pack-docker.ts'
import { packLegacy } from './pack-legacy.ts'
import type { NamedImage, PackedImage } from './packed-image.ts'

/**
 * How images lie in an archive: `docker` as docker 25 and later write it, with the images as they were in their registry;
 * `legacy` as docker 1.10 to 24 did, without manifests and compression.
 */
export type DockerArchiveFormat = 'docker' | 'legacy'

/** How an archive is written. */
export interface DockerArchiveDestinationOptions extends CompressOptions {
  /** Where the content of a stream is collected; must be there. */
  readonly tmpDir: string
  /** What a stream is called in messages: `-` when absent. */
  readonly name?: string | undefined
  /** `docker` when absent. */
  readonly format?: DockerArchiveFormat | undefined
  /** The platform that an index stands for; without it an index is taken if it has one image only. */
  readonly platform?: Platform | undefined
  /** What has a name, given in full, where the images go to; nothing when absent. */
  readonly findPresent?: ((name: string) => Promise<Descriptor | undefined>) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens an archive to be written, which docker, podman and skopeo load: a file, or what takes its bytes, as stdout does. A
 * file that is there is replaced. Without `compression` a file is compressed as its ending says (`.gz`, `.tgz`, `.zst`,
 * `.tzst`). Nothing is written by opening.
 * @throws DrayError `USAGE` where something is there that is no file; `IO`
 */
export async function openDockerArchiveDestination(
  target: string | WriteArchive,
  options: DockerArchiveDestinationOptions,
): Promise<DockerArchiveDestination> {
  const opened = await openArchiveTarget(target, { ...options, replace: true })
  const path = typeof target === 'string' ? target : (options.name ?? '-')
  return new DockerArchiveDestination({ ...opened, name: `docker-archive:${path}` }, options)
}

/**
 * An archive of docker's that is being written, for one image or many. Content is collected, and verified, in a layout
 * of its own; `finish` makes the archive of it.
 *
 * In the format `docker` manifests, configs and layers are kept byte for byte: an image that is read from the archive, or
 * loaded by an engine that keeps manifests, has the digest that it had. Engines before 23 cannot load layers compressed
 * with zstd. In the format `legacy` layers are unpacked and manifests left out: who reads it makes others, whose digests
 * `packed` tells. Docker's image ID, which is the digest of the config, stays in both.
 */
export class DockerArchiveDestination implements AsyncDisposable {
  readonly name: string
  readonly #target: ArchiveTarget
  readonly #options: DockerArchiveDestinationOptions
  readonly #folder: LayoutFolder
  readonly #images: ImageCollection
  #packed: readonly PackedImage[] = []
  #isFinished = false

  /** For `openDockerArchiveDestination`. */
  constructor(target: ArchiveTarget, options: DockerArchiveDestinationOptions) {
    const { name, folder, mode, partials } = target
    this.name = name
    this.#target = target
    this.#options = options
    this.#folder = new LayoutFolder(folder, { name, isThere: false, mode, partials })
    this.#images = new ImageCollection(new Layout(this.#folder, { name }), options.platform)
  }

  /** The images that `finish` has written, in the order of the archive. */
  get packed(): readonly PackedImage[] {
    return this.#packed
  }

  /**
   * Where the images of one repository go to, whose tags become names such as `docker.io/library/hello:1.0`.
   * @param repository such as `hello` or `ghcr.io/org/app`; without it images get no names
   * @throws DrayError `INVALID_REFERENCE`
   */
  repository(repository?: string): ImageDestination {
    return new ArchiveRepository(repository === undefined ? undefined : inFull(repository), {
      name: this.name,
      images: this.#images,
      findPresent: this.#options.findPresent ?? (async () => undefined),
      finish: () => this.finish(),
    })
  }

  /**
   * Writes the archive, which then appears under its name, and removes what was collected. Without an image nothing is
   * written.
   * @throws DrayError `IO`, also where somebody else has written the file in the meantime; `ABORTED`; in the format
   * `legacy` `INTEGRITY` where a layer is not what the config says, and `UNSUPPORTED` for zstd where this Node.js has none
   */
  async finish(): Promise<void> {
    const images = this.#images.list()
    this.#images.close()
    if (images.length > 0) {
      await this.#target.write(async tar => {
        this.#packed = await this.#pack(images, tar)
      })
    }
    this.#isFinished = true
    await this[Symbol.asyncDispose]()
  }

  /** Removes what was collected, unless the next run can go on with it. Without `finish` the file stays as it was. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#images.close()
    const { partials, folder } = this.#target
    if (!this.#isFinished && partials !== undefined) await this.#folder.blobs.leaveParts()
    await onDisk(folder, rm(folder, { recursive: true, force: true }))
    await partials?.removeEmpty()
  }

  async #pack(images: readonly NamedImage[], tar: TarWriter): Promise<readonly PackedImage[]> {
    const { format = 'docker', signal } = this.#options
    const { blobs } = this.#folder
    if (format === 'legacy') return packLegacy(images, { blobs, tar, name: this.name, signal })
    await packDocker(images, { files: this.#folder, tar, signal })
    return images.map(({ names, root: { digest } }) => ({ names, sourceDigest: digest, digest }))
  }
}

function inFull(repository: string): string {
  return formatReference(parseRepository(repository))
}

import { DrayError, quote } from '../errors.ts'
import { ifThere } from '../files/io-error.ts'
import { type Chunks, flow } from '../flow.ts'
import type { BlobRange, ImageSource, TagOrDigest } from '../image-store.ts'
import type { LayoutReader } from '../layout/layout-reader.ts'
import { verified } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { descriptorOf, type Manifest } from '../oci/manifest.ts'
import { openArchive } from '../tar/open-archive.ts'
import type { TarFile } from '../tar/tar-file.ts'
import type { TarFileEntry } from '../tar/tar-header.ts'
import { type ArchivedImage, listedImages } from './archived-image.ts'
import { fullName } from './image-name.ts'
import { LayerFiles } from './layer-files.ts'
import { OriginalManifests } from './original-manifests.ts'
import { type SynthesisedImage, synthesiseImage } from './synthesised-image.ts'
import { v1Images } from './v1-images.ts'

/** How an archive is opened. */
export interface OpenDockerArchiveOptions {
  /** Where an archive that cannot be read in place is put, unpacked, while it is open; must be there. */
  readonly tmpDir: string
  /** What a stream is called in messages: `-` when absent. */
  readonly name?: string | undefined
  /** Ends the reading of what is read to find an image out: a compressed archive or a stream, and compressed layers. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Opens an archive as `docker save` writes it, of any version since 0.7, and podman, skopeo, crane and others: a file, or a
 * stream as it comes from stdin; tar, tar.gz or tar.zst; or one that is open already. A tar that is a file is read where
 * it lies.
 * @throws DrayError `NOT_FOUND` also where the archive holds something else; `UNSUPPORTED` for zstd where this Node.js has
 * none; `INTEGRITY`, `ABORTED`, `IO`
 */
export async function openDockerArchive(
  source: string | Chunks | TarFile,
  { tmpDir, name, signal }: OpenDockerArchiveOptions,
): Promise<DockerArchive> {
  const path = typeof source === 'string' ? source : (name ?? '-')
  const tar = await openArchive(source, { temporaryFolder: tmpDir, name: path, signal })
  try {
    const files = new LayerFiles(tar)
    const images = (await listedImages(tar, signal)) ?? (await v1Images(tar, files, signal))
    if (images === undefined) throw noDockerArchive(tar)
    const storeName = `docker-archive:${tar.name}`
    const originals = await OriginalManifests.open(tar, storeName)
    return new DockerArchive({ name: storeName, tar, images, files, originals, signal })
  } catch (error) {
    await tar.close()
    throw error
  }
}

interface OpenedArchive {
  readonly name: string
  readonly tar: TarFile
  readonly images: readonly ArchivedImage[]
  readonly files: LayerFiles
  readonly originals: OriginalManifests | undefined
  readonly signal: AbortSignal | undefined
}

/** An image in an archive, as `list` tells it. */
export interface ListedImage {
  /** What `resolve` takes for it also where it has no name: `@0`. */
  readonly reference: string
  /** Its names with their tags in full: `docker.io/library/hello:1.0`. */
  readonly names: readonly string[]
}

/**
 * An archive of docker's as an image store, to be read. It is open until it is closed.
 *
 * Archives before docker 25 do not hold the manifests that images had in their registries. Then each image gets one, made
 * of what the archive holds: its digest is another one, and stays the same for the same archive.
 */
export class DockerArchive implements ImageSource, AsyncDisposable {
  readonly name: string
  readonly #tar: TarFile
  readonly #images: readonly ArchivedImage[]
  readonly #files: LayerFiles
  readonly #originals: OriginalManifests | undefined
  readonly #signal: AbortSignal | undefined
  readonly #described = new Map<ArchivedImage, Promise<Descriptor>>()
  readonly #synthesised: SynthesisedImage[] = []

  /** For `openDockerArchive`. */
  constructor({ name, tar, images, files, originals, signal }: OpenedArchive) {
    this.name = name
    this.#tar = tar
    this.#images = images
    this.#files = files
    this.#originals = originals
    this.#signal = signal
  }

  /** What is wrong with the archive and does no harm to what it holds, as sentences. */
  get oddities(): readonly string[] {
    return this.#tar.oddities
  }

  /** The images in the order of the archive. */
  list(): ListedImage[] {
    return this.#images.map(({ names }, at) => ({ reference: `@${at}`, names }))
  }

  /**
   * The reference of the only image.
   * @throws DrayError `NOT_FOUND` when there is none, `USAGE` when there are several
   */
  soleReference(): string {
    const [sole, ...others] = this.list()
    if (sole === undefined) throw new DrayError('NOT_FOUND', `${this.name}: the archive holds no image`)
    if (others.length === 0) return sole.reference
    throw new DrayError('USAGE', `${this.name}: the archive holds ${others.length + 1} images`, {
      hint: `name one of them: ${this.#offer()}`,
    })
  }

  /**
   * Takes a name (`hello:1.0`), `@N` for the image at that place, counted from 0, or a manifest's digest. For a name that
   * stands for an index of which all is there the index is given, as for more than one of its platforms.
   */
  async resolve(reference: TagOrDigest): Promise<Descriptor> {
    if (isDigest(reference)) return this.#resolveDigest(reference)
    const place = /^@([0-9]{1,9})$/.exec(reference)?.[1]
    // Who loads the archive goes through it from its beginning, and the last gets the name.
    const wanted = fullName(reference)
    const image =
      place === undefined
        ? this.#images.findLast(({ names }) => names.includes(wanted))
        : this.#images[Number(place)]
    if (image !== undefined) return this.#describe(image)
    throw new DrayError('NOT_FOUND', `${this.name}: there is no image ${quote(reference)}`, {
      hint: `there is ${this.#offer()}`,
    })
  }

  async getManifest(descriptor: Descriptor): Promise<Manifest> {
    const layout = await this.#layoutWith(descriptor.digest)
    if (layout !== undefined) return layout.getManifest(descriptor)
    const { manifest } = await this.#made(({ manifest }) => manifest.digest === descriptor.digest, descriptor)
    return manifest
  }

  async getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    const { digest } = descriptor
    const layout = await this.#layoutWith(digest)
    if (layout !== undefined) return layout.getBlob(descriptor, range)
    const blob = await this.#blob(digest)
    const content =
      blob instanceof Uint8Array ? only(blob.subarray(range?.start)) : this.#tar.read(blob, range)
    return range === undefined ? verified(content, descriptor, `${this.name}: blob ${digest}`) : content
  }

  async findBlob(digest: Digest): Promise<Descriptor | undefined> {
    const layout = await this.#layoutWith(digest)
    if (layout !== undefined) return layout.findBlob(digest)
    const blob = await ifThere(this.#blob(digest))
    const size = blob instanceof Uint8Array ? blob.length : blob?.size
    return size === undefined ? undefined : { mediaType: 'application/octet-stream', digest, size }
  }

  /** Closes the file; nothing can be read after that. @throws DrayError `IO` */
  async close(): Promise<void> {
    await this.#tar.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #describe(image: ArchivedImage): Promise<Descriptor> {
    const described = this.#described.get(image) ?? this.#find(image)
    this.#described.set(image, described)
    return described
  }

  async #find(image: ArchivedImage): Promise<Descriptor> {
    const parts = await image.read()
    const original = await this.#originals?.find(image.names, parts)
    if (original !== undefined) return original
    const made = await synthesiseImage(parts, {
      files: this.#files,
      name: this.#tar.name,
      signal: this.#signal,
    })
    this.#synthesised.push(made)
    return descriptorOf(made.manifest)
  }

  async #resolveDigest(digest: Digest): Promise<Descriptor> {
    const layout = await this.#layoutWith(digest)
    if (layout !== undefined) return layout.resolve(digest)
    const { manifest } = await this.#made(({ manifest }) => manifest.digest === digest, { digest })
    return descriptorOf(manifest)
  }

  async #layoutWith(digest: Digest): Promise<LayoutReader | undefined> {
    const layout = this.#originals?.layout
    return (await layout?.findBlob(digest)) === undefined ? undefined : layout
  }

  async #blob(digest: Digest): Promise<Uint8Array | TarFileEntry> {
    const { blobs } = await this.#made(({ blobs }) => blobs.has(digest), { digest })
    return blobs.get(digest) ?? Buffer.alloc(0)
  }

  /** An image with a manifest that was made; all are made before one is said to be missing. */
  async #made(
    isMeant: (image: SynthesisedImage) => boolean,
    { digest }: Pick<Descriptor, 'digest'>,
  ): Promise<SynthesisedImage> {
    const known = this.#synthesised.find(isMeant)
    if (known !== undefined) return known
    for (const image of this.#images) await this.#describe(image)
    const made = this.#synthesised.find(isMeant)
    if (made !== undefined) return made
    throw new DrayError('NOT_FOUND', `${this.name}: there is nothing with digest ${digest}`)
  }

  #offer(): string {
    const offered = this.list().map(({ names, reference }) => quote(names[0] ?? reference))
    return offered.slice(0, 10).join(', ') || 'none'
  }
}

function only(bytes: Uint8Array): Chunks {
  return flow(async take => {
    await take(bytes)
  })
}

function noDockerArchive(tar: TarFile): DrayError {
  return new DrayError('NOT_FOUND', `${tar.name}: not an archive of docker save, there is no manifest.json`, {
    hint:
      tar.find('oci-layout') === undefined
        ? undefined
        : 'it is an OCI image layout, which oci-archive: reads',
  })
}

import { DrayError, quote } from '../errors.ts'
import type {
  ImageDestination,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { tagFault } from '../oci/reference.ts'
import type { ImageCollection } from './image-collection.ts'

/** One repository's images in an archive that is being written. */
export class ArchiveRepository implements ImageDestination {
  readonly name: string
  readonly verifiesBlobs = true
  readonly finish: () => Promise<void>
  readonly #images: ImageCollection
  readonly #findPresent: ArchiveParts['findPresent']
  readonly #repository: string | undefined

  /** @param repository in full (`docker.io/library/hello`); undefined where images get no names */
  constructor(repository: string | undefined, archive: ArchiveParts) {
    this.name = repository === undefined ? archive.name : `${archive.name}:${repository}`
    this.finish = archive.finish
    this.#images = archive.images
    this.#findPresent = archive.findPresent
    this.#repository = repository
  }

  async find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    const { layout } = this.#images
    if (isDigest(reference)) return layout.find(reference)
    if (this.#repository === undefined) return undefined
    const name = `${this.#repository}:${reference}`
    const digest = this.#images.find(name)
    return digest === undefined ? this.#findPresent(name) : layout.find(digest)
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#images.layout.hasBlob(descriptor)
  }

  async putBlob(descriptor: Descriptor, open: OpenContent, options?: PutBlobOptions): Promise<PutBlobResult> {
    return this.#images.layout.putBlob(descriptor, open, options)
  }

  /** @throws DrayError `UNSUPPORTED` for what docker cannot load, and for an index that does not stand for one image */
  async putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    await this.#images.add(
      manifest,
      tags?.map(tag => this.#nameWith(tag)),
    )
  }

  #nameWith(tag: string): string {
    const fault = tagFault(tag)
    if (fault !== undefined) throw new DrayError('INVALID_REFERENCE', `invalid tag ${quote(tag)}: ${fault}`)
    if (this.#repository !== undefined) return `${this.#repository}:${tag}`
    throw new DrayError('USAGE', `${this.name}: the tag ${quote(tag)} needs the name of a repository with it`)
  }
}

/** What the repositories of one archive share. */
export interface ArchiveParts {
  readonly name: string
  readonly images: ImageCollection
  /** What has a name in full where the archive goes to. */
  readonly findPresent: (name: string) => Promise<Descriptor | undefined>
  readonly finish: () => Promise<void>
}

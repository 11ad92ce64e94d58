import { isDrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type {
  BlobRange,
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { deleteBlob, fetchBlob, headBlob } from './blobs.ts'
import { type RepositoryContext, repositoryRequest } from './context.ts'
import { deleteManifest, fetchManifest, pushManifest, resolveManifest } from './manifests.ts'
import { providerByName } from './providers/known-providers.ts'
import type { OpenProvider } from './providers/open-provider.ts'
import type { KnownProvider } from './providers/provider.ts'
import { uploadBlob } from './upload.ts'

/** One repository of a registry: a store of images, and its tags. */
export class Repository implements ImageSource, ImageDestination {
  readonly #context: RepositoryContext

  constructor(context: RepositoryContext) {
    this.#context = context
  }

  /** `docker.io/library/alpine` */
  get name(): string {
    return this.#context.name
  }

  /** Without the registry: `library/alpine` */
  get path(): string {
    return this.#context.repository
  }

  /** The provider that the registry's name tells. */
  get knownProvider(): KnownProvider | undefined {
    return providerByName(this.#context.registry)
  }

  /** What the registry's provider alone can do; see {@link openProvider}. */
  async provider(): Promise<OpenProvider> {
    const { openProvider } = await import('./providers/open-provider.ts')
    return openProvider(this.#context)
  }

  /** Docker Hub counts every GET of a manifest, and no HEAD. */
  get metersReads(): boolean {
    return this.#context.registry === 'docker.io'
  }

  /** See {@link resolveManifest}. */
  resolve(reference: TagOrDigest): Promise<Descriptor> {
    return resolveManifest(this.#context, reference)
  }

  /** What a tag or digest stands for, or undefined where it is absent (404) or cannot be told (403). */
  async find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    try {
      return await resolveManifest(this.#context, reference)
    } catch (error) {
      if (isDrayError(error, 'NOT_FOUND') || (isDrayError(error) && error.status === 403)) return undefined
      throw error
    }
  }

  getManifest(descriptor: Descriptor): Promise<Manifest> {
    return fetchManifest(this.#context, descriptor.digest, descriptor)
  }

  /** A manifest by tag or digest in one request. See {@link fetchManifest}. */
  readManifest(reference: TagOrDigest): Promise<Manifest> {
    return fetchManifest(this.#context, reference)
  }

  async putManifest(manifest: Manifest, tags: readonly string[] = []): Promise<void> {
    const references = tags.length === 0 ? [manifest.digest] : tags
    for (const reference of references) await pushManifest(this.#context, manifest, reference)
  }

  /** Deletes a tag, or a manifest by digest with all its tags. See {@link deleteManifest}. */
  delete(reference: TagOrDigest): Promise<void> {
    return deleteManifest(this.#context, reference)
  }

  getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    return fetchBlob(this.#context, descriptor, range)
  }

  /** A blob's size by its digest; undefined when it is not there. See {@link headBlob}. */
  findBlob(digest: Digest): Promise<Descriptor | undefined> {
    return headBlob(this.#context, digest)
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    try {
      return (await headBlob(this.#context, descriptor.digest)) !== undefined
    } catch (error) {
      if (isDrayError(error) && error.status === 403) return false
      throw error
    }
  }

  async putBlob(
    descriptor: Descriptor,
    open: OpenContent,
    options: PutBlobOptions = {},
  ): Promise<PutBlobResult> {
    const { mountFrom, signal } = options
    const from =
      mountFrom instanceof Repository && this.canMountFrom(mountFrom)
        ? mountFrom.#context.repository
        : undefined
    if (from === this.#context.repository) return 'present'
    return uploadBlob(this.#context, descriptor, open, { mountFrom: from, signal })
  }

  deleteBlob(digest: Digest): Promise<void> {
    return deleteBlob(this.#context, digest)
  }

  /** Only within one registry, met with one login. */
  canMountFrom(source: ImageSource): boolean {
    return source instanceof Repository && source.#context.send === this.#context.send
  }

  /**
   * All tags, page by page, in the registry's order (distribution-spec v1.1 end-8).
   * @param pageSize how many to ask for at once; at most 1000 is what registries accept
   */
  async *tags(pageSize?: number): AsyncGenerator<string> {
    const { pagedNames } = await import('./pages.ts')
    const request = { ...repositoryRequest(this.#context, 'GET', 'tags/list'), scopes: [] }
    yield* pagedNames(this.#context, {
      request,
      field: 'tags',
      what: `list the tags of ${this.name}`,
      pageSize,
    })
  }
}

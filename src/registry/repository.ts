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
import { type Digest, isDigest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { deleteBlob, fetchBlob, headBlob } from './blobs.ts'
import { type RepositoryContext, repositoryRequest } from './context.ts'
import { deleteManifest, fetchManifest, pushManifest, resolveManifest } from './manifests.ts'
import { type Mirror, MirroredSource, type RepositorySource } from './mirrors.ts'
import { providerByName } from './providers/known-providers.ts'
import type { OpenProvider } from './providers/open-provider.ts'
import type { KnownProvider } from './providers/provider.ts'
import type { RateLimit } from './rate-limit.ts'
import type { ReferrersOptions } from './referrers.ts'
import { uploadBlob } from './upload.ts'

/**
 * One repository of a registry: a store of images, and its tags. Where it has mirrors, content and what references stand for
 * are read from these first; what is asked of it as a destination is asked of the repository itself.
 */
export class Repository implements ImageSource, ImageDestination {
  readonly #context: RepositoryContext
  readonly #mirrored: MirroredSource | undefined
  readonly #source: RepositorySource

  constructor(context: RepositoryContext, mirrors: readonly Mirror[] = []) {
    const own = ownSource(context)
    this.#context = context
    this.#mirrored = mirrors.length === 0 ? undefined : new MirroredSource(own, mirrors, context.onEvent)
    this.#source = this.#mirrored ?? own
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

  /** Docker Hub counts every GET of a manifest, and no HEAD; a mirror in front of it does not. */
  get metersReads(): boolean {
    return this.#context.registry === 'docker.io' && this.#mirrored?.readsTags !== true
  }

  /** See {@link resolveManifest}. */
  resolve(reference: TagOrDigest): Promise<Descriptor> {
    return this.#source.resolve(reference)
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
    return this.#source.getManifest(descriptor)
  }

  /** A manifest by tag or digest in one request. See {@link fetchManifest}. */
  readManifest(reference: TagOrDigest): Promise<Manifest> {
    return this.#source.readManifest(reference)
  }

  async putManifest(manifest: Manifest, tags: readonly string[] = []): Promise<void> {
    const references = tags.length === 0 ? [manifest.digest] : tags
    let isListed = true
    for (const reference of references) isListed = await pushManifest(this.#context, manifest, reference)
    if (isListed) return
    const { addReferrer } = await import('./referrers-tag.ts')
    await addReferrer(this.#context, manifest)
  }

  /** Deletes a tag, or a manifest by digest with all its tags. See {@link deleteManifest}, {@link deleteReferrer}. */
  async delete(reference: TagOrDigest): Promise<void> {
    if (!isDigest(reference)) return deleteManifest(this.#context, reference)
    const { deleteReferrer } = await import('./referrers-tag.ts')
    await deleteReferrer(this.#context, reference)
  }

  getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    return this.#source.getBlob(descriptor, range)
  }

  /** True when a mirror gave the blob, which is then read elsewhere from now on. */
  rejectBlob(descriptor: Descriptor): boolean {
    return this.#mirrored?.rejectBlob(descriptor) ?? false
  }

  /** A blob's size by its digest; undefined when it is not there. See {@link headBlob}. */
  findBlob(digest: Digest): Promise<Descriptor | undefined> {
    return this.#source.findBlob(digest)
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
    // What a mirror has need not be here.
    const isHere = mountFrom instanceof Repository && mountFrom.#mirrored === undefined
    if (from === this.#context.repository && isHere) return 'present'
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

  /** The manifests that refer to one, by its digest: signatures, attestations, SBOMs. See {@link listReferrers}. */
  async *referrers(subject: Digest, options?: ReferrersOptions): AsyncGenerator<Descriptor> {
    const { listReferrers } = await import('./referrers.ts')
    yield* listReferrers(this.#context, subject, options)
  }

  /** How much may still be asked of the registry; undefined for unlimited. See {@link imageRateLimit}. */
  async rateLimit(reference: TagOrDigest): Promise<RateLimit | undefined> {
    const { imageRateLimit } = await import('./providers/image-rate-limit.ts')
    const { access } = await this.provider()
    return imageRateLimit(access, this.path, reference)
  }
}

/** The repository itself. */
function ownSource(context: RepositoryContext): RepositorySource {
  return {
    resolve: reference => resolveManifest(context, reference),
    readManifest: reference => fetchManifest(context, reference),
    getManifest: descriptor => fetchManifest(context, descriptor.digest, descriptor),
    getBlob: (descriptor, range) => fetchBlob(context, descriptor, range),
    findBlob: digest => headBlob(context, digest),
  }
}

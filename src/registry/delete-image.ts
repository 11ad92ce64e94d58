import { DrayError, isDrayError } from '../errors.ts'
import type { TagOrDigest } from '../image-store.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { withWorkGroup } from '../work-group.ts'
import { unknownProvider } from './providers/known-providers.ts'
import type { GoneWithTag } from './providers/provider.ts'
import type { Repository } from './repository.ts'
import { wouldTakeAlong } from './would-take-along.ts'

export interface DeleteImageOptions {
  /** Take along the other tags that stand for the same image, where the registry cannot leave them. */
  readonly force?: boolean | undefined
  /**
   * Where a tag cannot be deleted alone: move it to an image made to be thrown away, and delete that by its digest.
   * The registry must allow deleting.
   */
  readonly viaDummy?: boolean | undefined
  /** Find out what would be deleted, and delete nothing. */
  readonly dryRun?: boolean | undefined
  /** How many tags are looked up at a time; 8 unless told. */
  readonly jobs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What was deleted, or in a dry run would be. */
export interface DeletedImage {
  readonly repository: string
  /** What the tag stood for, or the digest that was asked for. */
  readonly digest: Digest
  /** The tags that are gone. */
  readonly tags: readonly string[]
  /**
   * In a dry run by tag, other tags of the image, for which a registry that cannot delete a tag alone would refuse;
   * empty otherwise.
   */
  readonly siblings: readonly string[]
  /** True when the manifest itself was deleted, and not a tag alone. */
  readonly manifest: boolean
  readonly dryRun: boolean
}

const defaultJobs = 8

/** Answers of registries that know deletion by digest only (distribution 2.x 400, Docker Hub 405, Artifactory 406). */
const refusedByTag = new Set([400, 405, 406, 415, 501])

/**
 * Deletes a tag alone, or a manifest by digest. A registry that cannot delete a tag alone through the registry API is
 * asked through its provider's own. Where there is none, it gets the manifest's digest, unless other tags stand for it;
 * these are looked up one by one, since no registry tells them.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`, `UNSUPPORTED` when other tags would go too, or nothing can be deleted
 */
export async function deleteImage(
  repository: Repository,
  reference: TagOrDigest,
  options: DeleteImageOptions = {},
): Promise<DeletedImage> {
  const { digest } = await repository.resolve(reference)
  const deleted = { repository: repository.name, digest, siblings: [], dryRun: options.dryRun ?? false }
  if (isDigest(reference)) {
    const tags = await tagsOf(repository, digest, options)
    if (tags.length > 0 && !options.force) throw wouldTakeAlong(repository, reference, tags)
    if (!options.dryRun) await deleteByDigest(repository, digest, tags)
    return { ...deleted, tags, manifest: true }
  }
  if (options.dryRun) {
    const siblings = await siblingsOf(repository, { tag: reference, digest }, options)
    return { ...deleted, tags: [reference], siblings, manifest: false }
  }
  return { ...deleted, ...(await deleteTag(repository, { tag: reference, digest }, options)) }
}

interface TagOfImage {
  readonly tag: string
  readonly digest: Digest
}

async function deleteTag(
  repository: Repository,
  { tag, digest }: TagOfImage,
  options: DeleteImageOptions,
): Promise<GoneWithTag> {
  const { force = false } = options
  const { hasOwnTagDelete = false } = repository.knownProvider ?? {}
  if (!hasOwnTagDelete && (await deletedByTag(repository, tag))) return { tags: [tag], manifest: false }
  const { provider, access } = await repository.provider()
  if (provider.deleteTag) {
    return provider.deleteTag(access, { repository: repository.path, tag, digest, force })
  }
  if (options.viaDummy) {
    const { deleteViaDummy } = await import('./delete-via-dummy.ts')
    await deleteViaDummy(repository, tag)
    return { tags: [tag], manifest: false }
  }
  const siblings = await siblingsOf(repository, { tag, digest }, options)
  if (siblings.length > 0 && !force) throw wouldTakeAlong(repository, tag, siblings)
  await deleteByDigest(repository, digest, [tag, ...siblings])
  return { tags: [tag, ...siblings], manifest: true }
}

async function deletedByTag(repository: Repository, tag: string): Promise<boolean> {
  try {
    await repository.delete(tag)
    return true
  } catch (error) {
    if (isDrayError(error) && refusedByTag.has(error.status ?? 0)) return false
    throw error
  }
}

async function siblingsOf(
  repository: Repository,
  { tag, digest }: TagOfImage,
  options: DeleteImageOptions,
): Promise<string[]> {
  return (await tagsOf(repository, digest, options)).filter(other => other !== tag)
}

/** The tags that stand for a digest; each costs a HEAD request. */
async function tagsOf(
  repository: Repository,
  digest: Digest,
  { jobs = defaultJobs, signal }: DeleteImageOptions,
): Promise<string[]> {
  const tags: string[] = []
  for await (const tag of repository.tags()) tags.push(tag)
  const found = await withWorkGroup({ limit: jobs, signal }, group =>
    group.map(tags, tag => repository.find(tag)),
  )
  return tags.filter((_, at) => found[at]?.digest === digest)
}

async function deleteByDigest(
  repository: Repository,
  digest: Digest,
  tags: readonly string[],
): Promise<void> {
  if (repository.knownProvider?.hasOwnImageDelete) {
    const { provider, access } = await repository.provider()
    if (provider.deleteImage)
      return provider.deleteImage(access, { repository: repository.path, digest, tags })
  }
  try {
    await repository.delete(digest)
  } catch (error) {
    if (!isDrayError(error, 'UNSUPPORTED')) throw error
    const { known } = await repository.provider()
    throw new DrayError('UNSUPPORTED', error.message, {
      hint: known.deleteHint ?? unknownProvider.deleteHint,
      cause: error,
      status: error.status,
    })
  }
}

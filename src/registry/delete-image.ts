import { DrayError, isDrayError } from '../errors.ts'
import type { TagOrDigest } from '../image-store.ts'
import { type Digest, isDigest } from '../oci/digest.ts'
import { withWorkGroup } from '../work-group.ts'
import type { Repository } from './repository.ts'

export interface DeleteImageOptions {
  /** Take along the other tags that stand for the same image, where the registry cannot leave them. */
  readonly force?: boolean | undefined
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
 * Deletes a tag alone, or a manifest by digest. A registry that cannot delete a tag alone gets the manifest's digest,
 * unless other tags stand for it; these are looked up one by one, since no registry tells them.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`, `UNSUPPORTED` when other tags would go too, or nothing can be deleted
 */
export async function deleteImage(
  repository: Repository,
  reference: TagOrDigest,
  options: DeleteImageOptions = {},
): Promise<DeletedImage> {
  const { digest } = await repository.resolve(reference)
  const dryRun = options.dryRun ?? false
  const byTag = {
    repository: repository.name,
    digest,
    tags: [reference],
    siblings: [],
    manifest: false,
    dryRun,
  }
  if (!isDigest(reference) && !dryRun && (await deletedByTag(repository, reference))) return byTag
  const tags = await tagsOf(repository, digest, options)
  const siblings = tags.filter(tag => tag !== reference)
  if (!isDigest(reference) && dryRun) return { ...byTag, siblings }
  if (siblings.length > 0 && !options.force) throw wouldTakeAlong(repository, reference, siblings)
  if (!dryRun) await deleteByDigest(repository, digest)
  return { ...byTag, tags, manifest: true }
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

/** Says which tags would go with an image. */
export function wouldTakeAlong(
  repository: { readonly name: string },
  reference: TagOrDigest,
  siblings: readonly string[],
): DrayError {
  const shown = siblings.slice(0, 10).join(', ')
  const list = siblings.length > 10 ? `${shown} and ${siblings.length - 10} more` : shown
  const name = `${repository.name}${isDigest(reference) ? '@' : ':'}${reference}`
  const why = isDigest(reference)
    ? 'these tags stand for it'
    : 'this registry cannot delete a tag alone, and the same image has the tags'
  return new DrayError('UNSUPPORTED', `${name} is not deleted: ${why}: ${list}`, {
    hint: 'delete those tags too with --force, or first tag something else with the one that is to go',
  })
}

async function deleteByDigest(repository: Repository, digest: Digest): Promise<void> {
  try {
    await repository.delete(digest)
  } catch (error) {
    if (!isDrayError(error, 'UNSUPPORTED')) throw error
    throw new DrayError('UNSUPPORTED', error.message, {
      hint: deleteHint(repository.name),
      cause: error,
      status: error.status,
    })
  }
}

/** How images are deleted where the registry's API does not allow it. */
function deleteHint(name: string): string {
  const registry = name.split('/', 1)[0] ?? ''
  if (registry === 'ghcr.io')
    return "delete the version in the package's settings on GitHub, or with its packages REST API"
  if (/\.dkr\.ecr\..*\.amazonaws\.com/.test(registry)) return 'delete it with: aws ecr batch-delete-image'
  return "deletion is switched off there; distribution's registry allows it with REGISTRY_STORAGE_DELETE_ENABLED=true"
}

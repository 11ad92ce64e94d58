import { DrayError } from '../errors.ts'
import type { ImageDestination, ImageSource } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { childManifests, type Manifest } from '../oci/manifest.ts'
import { isIndexType } from '../oci/media-types.ts'
import { matchesPlatform, type Platform } from '../oci/platform.ts'
import type { WorkGroup } from '../work-group.ts'
import { attachedTags } from './image-name.ts'

/** Where images and what refers to them come from: a repository. */
export type ReferrerSource = ImageSource &
  Pick<ImageDestination, 'find'> & { referrers(subject: Digest): AsyncIterable<Descriptor> }

export interface FindReferrersOptions {
  readonly group: WorkGroup
  /** Only what belongs to these platforms of an index, of which a smaller one is made. */
  readonly platforms?: readonly Platform[] | undefined
}

/** What belongs to an image and is not a part of it. */
export interface FoundReferrers {
  /** Manifests that name the image, a part of it, or one another as their `subject`. */
  readonly manifests: readonly Descriptor[]
  /** Tags in which cosign keeps the same for registries that know no subjects. */
  readonly tags: readonly string[]
}

/** More than any image has; who attaches without end must not keep us busy without end. */
const mostReferrers = 10_000

/**
 * Finds all that refers to an image or to an image that it lists, and to what is so found: signatures, SBOMs, attestations
 * (distribution-spec v1.1, "Listing Referrers").
 * @throws DrayError `INTEGRITY` for a malformed list; `UNSUPPORTED` for more than ten thousand
 */
export async function findReferrers(
  source: ReferrerSource,
  root: Manifest,
  { group, platforms = [] }: FindReferrersOptions,
): Promise<FoundReferrers> {
  const found = new Map<Digest, Descriptor>()
  const subjects = new Set<Digest>(await subjectsIn(root, { source, group, platforms }))
  for (let level = [...subjects]; level.length > 0; ) {
    const lists = await group.map(level, subject => listOf(source, subject))
    level = []
    for (const descriptor of lists.flat()) {
      if (subjects.has(descriptor.digest)) continue
      subjects.add(descriptor.digest)
      found.set(descriptor.digest, descriptor)
      level.push(descriptor.digest)
    }
    if (found.size > mostReferrers) throw tooMany(source)
  }
  const tags = [...subjects].flatMap(attachedTags)
  const tagged = await group.map(tags, tag => source.find(tag))
  return { manifests: [...found.values()], tags: tags.filter((_, at) => tagged[at] !== undefined) }
}

/** The image, where all of it is wanted, and what it lists. */
async function subjectsIn(
  root: Manifest,
  { source, group, platforms = [] }: FindReferrersOptions & { readonly source: ImageSource },
): Promise<readonly Digest[]> {
  const isWanted = ({ platform }: Descriptor) =>
    platforms.length === 0 ||
    platform === undefined ||
    platforms.some(wanted => matchesPlatform(wanted, platform))
  const isWhole = platforms.length === 0 || root.kind !== 'index'
  const subjects = new Set<Digest>(isWhole ? [root.digest] : [])
  for (let level: readonly Manifest[] = [root]; level.length > 0; ) {
    const children = level
      .flatMap(childManifests)
      .filter(child => isWanted(child) && !subjects.has(child.digest))
    for (const { digest } of children) subjects.add(digest)
    const indexes = children.filter(({ mediaType }) => isIndexType(mediaType))
    level = await group.map(indexes, index => source.getManifest(index))
  }
  return [...subjects]
}

async function listOf(source: ReferrerSource, subject: Digest): Promise<readonly Descriptor[]> {
  const listed: Descriptor[] = []
  for await (const descriptor of source.referrers(subject)) {
    listed.push(descriptor)
    if (listed.length > mostReferrers) throw tooMany(source)
  }
  return listed
}

function tooMany({ name }: ImageSource): DrayError {
  return new DrayError('UNSUPPORTED', `${name}: more than ${mostReferrers} manifests refer to one image`)
}

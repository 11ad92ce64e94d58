import type { ImageDestination } from '../image-store.ts'
import { copyImage } from '../transfer/copy.ts'
import type { CopyOptions } from '../transfer/copy-options.ts'
import type { CopyResult } from '../transfer/copy-result.ts'
import { withWorkGroup } from '../work-group.ts'
import { findReferrers, type ReferrerSource } from './find-referrers.ts'
import { rememberManifests } from './remembered-manifests.ts'

export interface CopyWithReferrersOptions extends CopyOptions {
  readonly source: ReferrerSource
  /** Where that goes which has no tag and belongs to an image: the destination itself where not given. */
  readonly untagged?: ImageDestination | undefined
}

/** A copy, and the copies of what refers to the copied image. */
export interface CopiedImage {
  readonly image: CopyResult
  readonly referrers: readonly CopyResult[]
}

const defaultQuestions = 8

/**
 * Copies an image with all that refers to it: signatures, SBOMs, attestations, by subject and in cosign's tags.
 * @throws DrayError what `copyImage` and `findReferrers` throw
 */
export async function copyWithReferrers(options: CopyWithReferrersOptions): Promise<CopiedImage> {
  const { destination, untagged = destination, platforms, signal, jobs } = options
  const source = rememberManifests(options.source)
  const image = await copyImage({ ...options, source })
  const { sourceDigest: digest } = image
  const root = await source.getManifest(await source.resolve(digest))
  const { manifests, tags } = await withWorkGroup({ limit: jobs ?? defaultQuestions, signal }, group =>
    findReferrers(options.source, root, { group, platforms }),
  )
  const common = {
    ...options,
    platforms: [],
    unpack: false,
    expectedResult: undefined,
    expectedDigest: undefined,
  }
  const referrers: CopyResult[] = []
  for (const { digest: from } of manifests)
    referrers.push(await copyImage({ ...common, from, destination: untagged, tags: [] }))
  for (const tag of tags) referrers.push(await copyImage({ ...common, from: tag, tags: [tag] }))
  return { image, referrers }
}

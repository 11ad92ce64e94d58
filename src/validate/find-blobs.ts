import { isDrayError } from '../errors.ts'
import type { ImageSource } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { WorkGroup } from '../work-group.ts'
import { byDigest, isForeign, listBlobs } from './blob-uses.ts'
import { missing, type Report } from './finding.ts'
import { reportSizes } from './pass-blob.ts'
import type { ListedManifest } from './read-tree.ts'

/** A source that may be able to tell of a blob without giving it. */
export interface BlobFinder extends ImageSource {
  /** A blob's size by its digest; undefined when it is not there. */
  findBlob?(digest: Digest): Promise<Descriptor | undefined>
}

export interface FindBlobsOptions {
  readonly source: BlobFinder
  readonly group: WorkGroup
  readonly report: Report
}

/** Asks for each blob whether it is there and how long it is, and reads none; what is elsewhere is left out. */
export async function findBlobs(
  manifests: readonly ListedManifest[],
  { source, group, report }: FindBlobsOptions,
): Promise<void> {
  const blobs = byDigest(manifests.flatMap(listBlobs).filter(use => !isForeign(use)))
  await group.map(blobs, async uses => {
    const [{ descriptor, place }] = uses
    const found = await (source.findBlob?.(descriptor.digest) ?? open(source, descriptor))
    if (found === undefined) report(place, [missing])
    else reportSizes(uses, found.size, report)
  })
}

/** Opens a blob and leaves it; its size stays unknown, and is taken to be right. */
async function open(source: ImageSource, descriptor: Descriptor): Promise<Descriptor | undefined> {
  try {
    const content = await source.getBlob(descriptor, { start: 0 })
    for await (const _ of content) break
    return descriptor
  } catch (error) {
    if (isDrayError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

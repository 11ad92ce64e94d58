import type { Descriptor } from '../../oci/descriptor.ts'
import { type Digest, digestFault, parseDigest } from '../../oci/digest.ts'
import { maxManifestBytes } from '../../oci/manifest.ts'
import { mediaTypes } from '../../oci/media-types.ts'
import { RegistryFault } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { type FoundList, findReferrers } from '../mirror/lists.ts'
import { staleHeaders } from '../mirror/repository.ts'
import type { Storage } from '../storage/storage.ts'
import type { Target } from '../target.ts'
import { pageOf } from './paging.ts'

/** Leaves room for what an index has around its entries. */
const maxEntriesBytes = maxManifestBytes - 64 * 1024

/**
 * GET referrers/DIGEST (distribution-spec v1.1, end-12a and end-12b): an index of the manifests whose `subject` it is,
 * empty where there are none or nobody knows the repository. What is too long for one manifest, or than a client wants
 * it with `?n=`, comes in pages.
 */
export async function listReferrers(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const fault = digestFault(target.reference)
  if (fault !== undefined) throw new RegistryFault('DIGEST_INVALID', `invalid digest: ${fault}`)
  const subject = parseDigest(target.reference)
  const { mirrored, repository } = target
  const found =
    mirrored === undefined
      ? await ownReferrers(repository, subject, storage)
      : await findReferrers(mirrored, subject)
  const artifactType = exchange.query.get('artifactType') || undefined
  const isWanted = (one: Descriptor) => artifactType === undefined || one.artifactType === artifactType
  const wanted = found.items.filter(isWanted)
  const { items, headers } = pageOf(wanted, exchange, { keyOf: ({ digest }) => digest, countFitting })
  exchange.sendJson(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: items },
    {
      ...headers,
      ...staleHeaders(found.isStale),
      'Content-Type': mediaTypes.ociIndex,
      ...(artifactType === undefined ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
    },
  )
}

async function ownReferrers(
  repository: string,
  subject: Digest,
  storage: Storage,
): Promise<FoundList<Descriptor>> {
  const layout = await storage.find(repository)
  const referrers = layout && (await storage.referrers.of(layout)).get(subject)
  return { items: referrers ?? [], isStale: false }
}

/** At least one, so that paging comes to an end. */
function countFitting(descriptors: readonly Descriptor[]): number {
  let bytes = 0
  const tooMuch = descriptors.findIndex(descriptor => {
    bytes += Buffer.byteLength(JSON.stringify(descriptor)) + 1
    return bytes > maxEntriesBytes
  })
  return tooMuch < 0 ? descriptors.length : Math.max(tooMuch, 1)
}

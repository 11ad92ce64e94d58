import { isDrayError } from '../errors.ts'
import type { Layout } from '../layout/layout.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { type Digest, digestFault, parseDigest } from '../oci/digest.ts'
import { type Manifest, referrerOf } from '../oci/manifest.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { RegistryFault } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { Storage } from './storage.ts'
import type { Target } from './target.ts'

/**
 * GET referrers/DIGEST (distribution-spec v1.1, end-12a and end-12b): an index of the manifests whose `subject` it is,
 * empty where there are none or nobody knows the repository.
 */
export async function listReferrers(exchange: Exchange, target: Target, storage: Storage): Promise<void> {
  const fault = digestFault(target.reference)
  if (fault !== undefined) throw new RegistryFault('DIGEST_INVALID', `invalid digest: ${fault}`)
  const layout = await storage.find(target.repository)
  const all = layout === undefined ? [] : await referrersOf(layout, parseDigest(target.reference))
  const wanted = exchange.query.get('artifactType') || undefined
  const manifests = wanted === undefined ? all : all.filter(({ artifactType }) => artifactType === wanted)
  exchange.sendJson(
    200,
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
    {
      'Content-Type': mediaTypes.ociIndex,
      ...(wanted === undefined ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
    },
  )
}

async function referrersOf(layout: Layout, subject: Digest): Promise<Descriptor[]> {
  const found: Descriptor[] = []
  for (const descriptor of await layout.listManifests()) {
    const manifest = await readIfPossible(layout, descriptor)
    if (manifest?.content.subject?.digest === subject) found.push(referrerOf(manifest))
  }
  return found
}

/** What cannot be read as a manifest refers to nothing; it must not hide what else refers to the subject. */
async function readIfPossible(layout: Layout, descriptor: Descriptor): Promise<Manifest | undefined> {
  try {
    return await layout.getManifest(descriptor)
  } catch (error) {
    if (isDrayError(error, 'NOT_FOUND', 'INTEGRITY', 'UNSUPPORTED')) return undefined
    throw error
  }
}

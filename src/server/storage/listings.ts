import { isDrayError } from '../../errors.ts'
import type { Layout } from '../../layout/layout.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { childManifests, type Manifest, referrerOf } from '../../oci/manifest.ts'
import { tagFault } from '../../oci/reference.ts'
import type { ManifestCache } from './manifest-cache.ts'

/** The manifests with a `subject`, by the subject's digest and in order of their own. */
export type Referrers = ReadonlyMap<Digest, readonly Descriptor[]>

/** The tags in order. Names in the layout that are no tags to a registry are left out. */
export async function tagsOf(layout: Layout): Promise<readonly string[]> {
  return (await layout.listTags()).filter(tag => tagFault(tag) === undefined)
}

/** The tags of the lists that clients keep where a registry cannot list referrers (v1.1, "Referrers Tag Schema"). */
const referrersTag = /^sha(?:256|512)-[0-9a-f]{64}$/

/**
 * What refers to what in a repository: of the manifests that its index.json lists, and of those that are in lists from a
 * registry which could not tell (distribution-spec v1.1, "Enabling the Referrers API").
 */
export async function referrersIn(layout: Layout, manifests: ManifestCache): Promise<Referrers> {
  const candidates = [...(await layout.listManifests())]
  for (const tag of await layout.listTags()) {
    if (!referrersTag.test(tag)) continue
    const list = await ifReadable(async () => manifests.read(layout, await layout.resolve(tag)))
    candidates.push(...(list === undefined ? [] : childManifests(list)))
  }
  const byDigest = new Map(candidates.map(descriptor => [descriptor.digest, descriptor]))
  const found = new Map<Digest, Descriptor[]>()
  for (const [, descriptor] of [...byDigest].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const manifest = await ifReadable(() => manifests.read(layout, descriptor))
    const subject = manifest?.content.subject?.digest
    if (manifest === undefined || subject === undefined) continue
    const siblings = found.get(subject) ?? []
    siblings.push(referrerOf(manifest))
    found.set(subject, siblings)
  }
  return found
}

/** What cannot be read as a manifest refers to nothing; it must not hide what else refers to the subject. */
async function ifReadable(read: () => Promise<Manifest>): Promise<Manifest | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isDrayError(error, 'NOT_FOUND', 'INTEGRITY', 'UNSUPPORTED')) return undefined
    throw error
  }
}

import * as z from 'zod/mini'
import { DrayError, quote } from '../errors.ts'
import { type Descriptor, descriptorSchema } from '../oci/descriptor.ts'
import { imageNameKey, isFullName, refNameKey } from './ref-name.ts'

/**
 * A descriptor in index.json, checked no further than is needed to keep it: an entry with a digest algorithm or field
 * from the future stays as it is.
 */
export const indexEntrySchema = z.looseObject({
  digest: z.string(),
  annotations: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
})

/** One entry of `manifests` in index.json. */
export type IndexEntry = Readonly<z.infer<typeof indexEntrySchema>>

/** What becomes of entries that lose their tag. */
export interface ListingOptions {
  /** Keep a manifest listed, without a tag, when its last tag moves away or is deleted. */
  readonly keepUntagged: boolean
}

/** The tag of an entry (image-spec v1.1, annotations.md: `org.opencontainers.image.ref.name`), if it has one. */
export function refNameOf(entry: IndexEntry): string | undefined {
  const name = entry.annotations?.[refNameKey]
  return typeof name === 'string' && name !== '' ? name : undefined
}

/**
 * What an entry points at.
 * @param indexPath what index.json is called in messages
 * @throws DrayError `INTEGRITY` where it is malformed
 */
export function descriptorOfEntry(entry: IndexEntry, indexPath: string): Descriptor {
  const result = descriptorSchema.safeParse({ ...entry, annotations: entry.annotations ?? undefined })
  if (result.success) return result.data
  const where = result.error.issues[0]?.path.map(String).join('.')
  throw new DrayError(
    'INTEGRITY',
    `${indexPath}: the entry of ${quote(entry.digest)} is malformed at "${where}"`,
  )
}

/** The entries with a manifest listed under each of the tags, or without a tag where there are none. */
export function listManifest(
  entries: readonly IndexEntry[],
  descriptor: Descriptor,
  options: ListingOptions & { readonly tags: readonly string[] },
): IndexEntry[] {
  let listed = [...entries]
  for (const tag of options.tags) {
    if (listed.some(entry => refNameOf(entry) === tag && entry.digest === descriptor.digest)) continue
    listed = addTag(removeTag(listed, tag, options), descriptor, tag)
  }
  const isListed = listed.some(entry => entry.digest === descriptor.digest)
  return isListed ? listed : [...listed, { ...descriptor }]
}

/** The entries without a tag. */
export function removeTag(
  entries: readonly IndexEntry[],
  tag: string,
  options: ListingOptions,
): IndexEntry[] {
  const rest = entries.filter(entry => refNameOf(entry) !== tag)
  if (!options.keepUntagged) return rest
  for (const entry of entries) {
    if (refNameOf(entry) !== tag) continue
    const isListed = rest.some(other => other.digest === entry.digest)
    if (!isListed) rest.push(withoutRefName(entry))
  }
  return rest
}

function addTag(entries: readonly IndexEntry[], descriptor: Descriptor, tag: string): IndexEntry[] {
  const untagged = entries.find(entry => entry.digest === descriptor.digest && refNameOf(entry) === undefined)
  const { annotations, ...entry } = untagged ?? { ...descriptor, annotations: undefined }
  const names = isFullName(tag) ? { [imageNameKey]: tag, [refNameKey]: tag } : { [refNameKey]: tag }
  const tagged = { ...entry, annotations: { ...annotations, ...names } }
  return [...entries.filter(other => other !== untagged), tagged]
}

function withoutRefName(entry: IndexEntry): IndexEntry {
  const { annotations, ...rest } = entry
  const { [refNameKey]: _, [imageNameKey]: __, ...others } = annotations ?? {}
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others }
}

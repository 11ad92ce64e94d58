import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import { descriptorOf, type Manifest } from '../oci/manifest.ts'
import { isIndexType } from '../oci/media-types.ts'
import { parseManifest } from '../oci/parse-manifest.ts'
import type { Platform } from '../oci/platform.ts'
import { type ManifestReader, maxIndexDepth, tooDeep } from './manifest-reader.ts'
import { attestedDigest, isImageFor, noPlatform } from './platform-choice.ts'

/** An index, and nothing else that a manifest can be. */
export type IndexManifest = Manifest & { readonly kind: 'index' }

/** An entry as the index's own JSON has it. */
type EntryJson = Readonly<Record<string, unknown>>
type IndexJson = Readonly<Record<string, unknown>> & { readonly manifests: readonly EntryJson[] }

/**
 * The index with only the entries of these platforms and the attestations that belong to them: the source's own JSON
 * with nothing but `manifests` changed, in the same order. An index within it stays whole where its entry names one
 * of the platforms, and is filtered in the same way where its entry names none. An index of which all entries stay is
 * given back as it is. New inner indexes are added to the reader.
 * @throws DrayError `NOT_FOUND` for a platform that no entry is for, listing what there is
 */
export async function subsetIndex(
  index: IndexManifest,
  platforms: readonly Platform[],
  options: { readonly reader: ManifestReader; readonly name: string },
): Promise<IndexManifest> {
  const entries = await listEntries(index, options.reader)
  const missing = platforms.filter(wanted => !entries.some(entry => isImageFor(entry, wanted)))
  const context = { ...options, platforms, subsets: new Map() }
  const subset = missing.length === 0 ? await filterIndex(index, context) : undefined
  if (subset === undefined) throw noPlatform(entries, missing, options.name)
  return subset
}

/** The entries of an index and of those within it whose entry names no platform, each index read once. */
export async function listEntries(
  index: IndexManifest,
  reader: ManifestReader,
): Promise<readonly Descriptor[]> {
  const entries: Descriptor[] = []
  const indexes = new Map([[index.digest, index]])
  for (const { content } of indexes.values()) {
    for (const entry of content.manifests) {
      const inner = await openInnerIndex(entry, reader)
      if (inner === undefined) entries.push(entry)
      else indexes.set(inner.digest, inner)
    }
  }
  return entries
}

async function openInnerIndex(entry: Descriptor, reader: ManifestReader): Promise<IndexManifest | undefined> {
  if (entry.platform !== undefined || !isIndexType(entry.mediaType)) return undefined
  const manifest = await reader.readEntry(entry)
  return manifest.kind === 'index' ? manifest : undefined
}

interface FilterContext {
  readonly reader: ManifestReader
  readonly name: string
  readonly platforms: readonly Platform[]
  /** What came of inner indexes, for those that are listed again. */
  readonly subsets: Map<Digest, IndexManifest | undefined>
}

/** The index without what is not wanted; itself where nothing goes, undefined where no image stays. */
async function filterIndex(
  index: IndexManifest,
  context: FilterContext,
  depth = 0,
): Promise<IndexManifest | undefined> {
  if (depth > maxIndexDepth) throw tooDeep(context.name)
  const { subsets } = context
  if (!subsets.has(index.digest)) subsets.set(index.digest, await filterEntries(index, context, depth))
  return subsets.get(index.digest)
}

async function filterEntries(
  index: IndexManifest,
  context: FilterContext,
  depth: number,
): Promise<IndexManifest | undefined> {
  const document = JSON.parse(new TextDecoder().decode(index.bytes)) as IndexJson
  const rows = index.content.manifests.map((entry, at) => ({ entry, json: document.manifests[at] ?? {} }))
  const images = new Map<Descriptor, EntryJson>()
  for (const { entry, json } of rows) {
    const kept = await filterEntry(entry, json, { ...context, depth })
    if (kept !== undefined) images.set(entry, kept)
  }
  if (images.size === 0) return undefined
  const digests = new Set([...images.values()].map(json => json.digest))
  const manifests = rows.flatMap<EntryJson>(
    ({ entry, json }) => images.get(entry) ?? (digests.has(attestedDigest(entry)) ? json : []),
  )
  const isWhole = manifests.length === rows.length && rows.every(({ json }, at) => json === manifests[at])
  return isWhole ? index : rewrite(index, { ...document, manifests }, context.reader)
}

async function filterEntry(
  entry: Descriptor,
  json: EntryJson,
  context: FilterContext & { readonly depth: number },
): Promise<EntryJson | undefined> {
  const inner = await openInnerIndex(entry, context.reader)
  if (inner === undefined)
    return context.platforms.some(wanted => isImageFor(entry, wanted)) ? json : undefined
  const subset = await filterIndex(inner, context, context.depth + 1)
  if (subset === undefined) return undefined
  return subset.digest === inner.digest ? json : pointAt(subset, json)
}

/** The entry with another manifest behind it; its embedded content, if it had any, was that of the old one. */
function pointAt(manifest: Manifest, { data: _, ...json }: EntryJson): EntryJson {
  const { digest, size } = descriptorOf(manifest)
  return { ...json, digest, size }
}

function rewrite(index: IndexManifest, document: IndexJson, reader: ManifestReader): IndexManifest {
  const bytes = new TextEncoder().encode(JSON.stringify(document))
  const digest = digestOf(bytes, algorithmOf(index.digest))
  const manifest = parseManifest(bytes, { mediaType: index.mediaType, digest })
  if (manifest.kind !== 'index') throw new Error('an index with fewer entries is still an index')
  reader.add(manifest)
  return manifest
}

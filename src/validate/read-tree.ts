import { isDrayError } from '../errors.ts'
import type { ImageSource } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { childManifests, type Manifest } from '../oci/manifest.ts'
import { isIndexType } from '../oci/media-types.ts'
import type { Platform } from '../oci/platform.ts'
import { ManifestReader, maxIndexDepth } from '../transfer/manifest-reader.ts'
import { attestedDigest, isImageFor, noPlatform } from '../transfer/platform-choice.ts'
import { blobName } from '../transfer/read-blob.ts'
import type { WorkGroup } from '../work-group.ts'
import { error, missing, type Place, placeIn, type Report, rootPlace } from './finding.ts'
import { issueOf } from './issue-of.ts'

/** A descriptor of a manifest, and where it stands. */
export interface ManifestEntry {
  readonly descriptor: Descriptor
  readonly place: Place
}

/** A manifest, and all the entries that lead to it. */
export interface ListedManifest {
  readonly manifest: Manifest
  readonly entries: readonly [ManifestEntry, ...ManifestEntry[]]
}

export interface ReadTreeOptions {
  readonly source: ImageSource
  readonly group: WorkGroup
  readonly report: Report
  /** Only the images for these platforms, with their attestations; all when empty. */
  readonly platforms: readonly Platform[]
}

/**
 * Reads the manifest that a reference stands for and all below it, each once. What is missing or malformed is reported
 * and left out.
 * @throws DrayError `NOT_FOUND` when the root is missing, or an index has no image for one of the platforms;
 * `UNSUPPORTED` for a root of an old form, or for more manifests than any image should have
 */
export async function readTree(
  root: Descriptor,
  options: ReadTreeOptions,
): Promise<readonly ListedManifest[]> {
  const { source, group, report, platforms } = options
  const found = new Map<Digest, Found>()
  const reader = new ManifestReader(source)
  const listed: Descriptor[] = []
  let level: readonly ManifestEntry[] = [{ descriptor: root, place: rootPlace(root) }]
  for (let depth = 0; level.length > 0; depth += 1) {
    const fresh = addEntries(found, level)
    if (depth > maxIndexDepth + 1) {
      for (const { entries } of fresh) report(entries[0].place, [tooDeep])
      break
    }
    await group.map(fresh, async one => {
      one.manifest = await readManifest(one.entries[0], options)
      if (one.manifest !== undefined) reader.add(one.manifest)
    })
    const indexes = fresh.filter(isRead)
    listed.push(...indexes.flatMap(({ manifest }) => childManifests(manifest)))
    level = indexes.flatMap(index => childrenOf(index, platforms))
  }
  const absent = platforms.filter(wanted => !listed.some(entry => isImageFor(entry, wanted)))
  if (absent.length > 0 && found.get(root.digest)?.manifest?.kind === 'index') {
    throw noPlatform(listed, absent, blobName(source, root))
  }
  return [...found.values()].filter(isRead)
}

const tooDeep = error(`more than ${maxIndexDepth} indexes stand inside one another`)

interface Found {
  manifest: Manifest | undefined
  readonly entries: [ManifestEntry, ...ManifestEntry[]]
}

function isRead(found: Found): found is Found & { manifest: Manifest } {
  return found.manifest !== undefined
}

/** Adds each entry to its manifest; gives back those that were met for the first time. */
function addEntries(found: Map<Digest, Found>, level: readonly ManifestEntry[]): readonly Found[] {
  return level.flatMap(entry => {
    const { digest } = entry.descriptor
    const known = found.get(digest)
    if (known !== undefined) {
      known.entries.push(entry)
      return []
    }
    const fresh: Found = { manifest: undefined, entries: [entry] }
    found.set(digest, fresh)
    return fresh
  })
}

async function readManifest(
  { descriptor, place }: ManifestEntry,
  { source, report }: ReadTreeOptions,
): Promise<Manifest | undefined> {
  try {
    return await source.getManifest(descriptor)
  } catch (fault) {
    const isFinding = isDrayError(fault, 'INTEGRITY') || place.path !== '.'
    if (!isFinding || !isDrayError(fault, 'INTEGRITY', 'NOT_FOUND', 'UNSUPPORTED', 'REGISTRY')) throw fault
    report(place, [fault.code === 'NOT_FOUND' ? missing : issueOf(fault, blobName(source, descriptor))])
    return undefined
  }
}

function childrenOf(
  { manifest, entries }: ListedManifest,
  platforms: readonly Platform[],
): readonly ManifestEntry[] {
  const children = childManifests(manifest)
  const isWanted = (entry: Descriptor) =>
    platforms.length === 0 ||
    platforms.some(wanted => isImageFor(entry, wanted)) ||
    (entry.platform === undefined && isIndexType(entry.mediaType))
  const wanted = new Set<string>(children.filter(isWanted).map(({ digest }) => digest))
  return children.flatMap((descriptor, at) => {
    const isAttestation = wanted.has(attestedDigest(descriptor) ?? '')
    if (!isWanted(descriptor) && !isAttestation) return []
    return { descriptor, place: placeIn(entries[0].place, `manifests[${at}]`, descriptor) }
  })
}

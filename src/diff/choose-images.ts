import type { ImageSource } from '../image-store.ts'
import type { ImageConfig } from '../oci/config.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Manifest } from '../oci/manifest.ts'
import { formatPlatform, hostPlatform, matchesPlatform, type Platform } from '../oci/platform.ts'
import { ManifestReader, maxIndexDepth, tooDeep } from '../transfer/manifest-reader.ts'
import { findPlatform, isPlatformImage } from '../transfer/platform-choice.ts'
import type { ReadBlobOptions } from '../transfer/read-blob.ts'
import { selectImage } from '../transfer/select-image.ts'
import type { WorkGroup } from '../work-group.ts'
import { readConfig } from './image-config.ts'
import { entriesOf } from './index-entries.ts'

/** What a reference stands for at one end of a comparison. */
export interface OpenEnd {
  readonly source: ImageSource
  readonly reader: ManifestReader
  readonly reading: ReadBlobOptions
  readonly root: Manifest
  /** What an index lists. */
  readonly entries: readonly Descriptor[]
  /** The platform that was asked for. */
  readonly wanted: Platform | undefined
}

/** An image out of an end. */
export interface ImageParts {
  readonly image: Manifest
  readonly config: ImageConfig | undefined
  /** The platform that it was chosen for; null where there was no choice. */
  readonly platform: string | null
}

export interface OpenEndOptions {
  readonly source: ImageSource
  readonly platform?: Platform | undefined
  readonly reading?: Omit<ReadBlobOptions, 'signal'> | undefined
}

/** Reads what a descriptor stands for, and the indexes in it. */
export async function openEnd(
  { source, platform, reading }: OpenEndOptions,
  descriptor: Descriptor,
  signal: AbortSignal,
): Promise<OpenEnd> {
  const reader = new ManifestReader(source)
  const root = await reader.read(descriptor)
  const entries = await entriesOf(root, reader)
  return { source, reader, reading: { ...reading, signal }, root, entries, wanted: platform }
}

/**
 * The two images that are compared: those of the platforms that were asked for; else those of one platform that both ends
 * have, this machine's if there is a choice; else whatever comes first.
 * @throws DrayError `NOT_FOUND` where there is none for a platform, `USAGE` where it stands for several
 */
export async function chooseImages(
  [from, to]: readonly [OpenEnd, OpenEnd],
  group: WorkGroup,
): Promise<readonly [ImageParts, ImageParts]> {
  // The one that has no index is clear at once, and says which platform the other must have.
  const [one, other] = await group.all([soleImage(from), soleImage(to)])
  const preferred = commonPlatform(platformsOf(from, one), platformsOf(to, other))
  const choose = async (end: OpenEnd, sole: ImageParts | undefined) => sole ?? chooseImage(end, preferred)
  return group.all([choose(from, one), choose(to, other)])
}

/** The image of an end that has no index, or the one for the platform that was asked for. */
async function soleImage({
  source,
  reader,
  reading,
  root,
  wanted,
}: OpenEnd): Promise<ImageParts | undefined> {
  if (wanted === undefined && root.kind === 'index') return undefined
  const image =
    wanted === undefined
      ? root
      : await selectImage(root, { source, reader, platforms: [wanted], unpack: wanted, reading })
  const platform = wanted === undefined ? null : formatPlatform(wanted)
  return { image, config: await readConfig(source, image, reading), platform }
}

function platformsOf({ entries, wanted }: OpenEnd, sole: ImageParts | undefined): readonly Platform[] {
  if (wanted !== undefined) return [wanted]
  if (sole === undefined) return entries.filter(isPlatformImage).flatMap(({ platform }) => platform ?? [])
  const { os, architecture, variant } = sole.config ?? {}
  return os && architecture ? [{ os, architecture, ...(variant ? { variant } : {}) }] : []
}

function commonPlatform(ones: readonly Platform[], others: readonly Platform[]): Platform | undefined {
  const host = ones.filter(platform => matchesPlatform(hostPlatform(), platform))
  return [...host, ...ones].find(one => others.some(other => matchesPlatform(one, other)))
}

async function chooseImage(
  { source, reader, reading, root, entries }: OpenEnd,
  preferred: Platform | undefined,
): Promise<ImageParts> {
  const forPreferred = preferred && findPlatform({ manifests: [...entries] }, preferred)
  const entry = forPreferred ?? entries.find(isPlatformImage) ?? entries[0]
  let image = entry === undefined ? root : await reader.readEntry(entry)
  for (let depth = 0; image.kind === 'index'; depth += 1) {
    const [inner] = image.content.manifests
    if (inner === undefined) break
    if (depth === maxIndexDepth) throw tooDeep(source.name)
    image = await reader.readEntry(inner)
  }
  const platform = entry?.platform === undefined ? null : formatPlatform(entry.platform)
  return { image, config: await readConfig(source, image, reading), platform }
}

import { DrayError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { ImageIndex } from '../oci/manifest.ts'
import { formatPlatform, matchesPlatform, type Platform } from '../oci/platform.ts'

/** What builders that cannot say a platform write into its place. */
const unknownPlatform = 'unknown/unknown'

/**
 * The entry of an index for a platform: the one that is exactly as wanted, else the first that matches, else undefined.
 * Attestations are never chosen. The entry may be an index itself.
 */
export function findPlatform(index: ImageIndex, wanted: Platform): Descriptor | undefined {
  const { matching, exact } = imagesFor(index.manifests, wanted)
  return exact[0] ?? matching[0]
}

/**
 * The one entry for a platform, where no other could be meant.
 * @throws DrayError `NOT_FOUND`; `USAGE` that lists the entries when several match and none alone is exactly as wanted
 */
export function choosePlatformStrictly(
  entries: readonly Descriptor[],
  wanted: Platform,
  name: string,
): Descriptor {
  const { matching, exact } = imagesFor(entries, wanted)
  const candidates = exact.length > 0 ? exact : matching
  const [entry, ...others] = candidates
  if (entry === undefined) throw noPlatform(entries, [wanted], name)
  if (others.every(other => other.digest === entry.digest)) return entry
  const list = candidates.map(each => `${platformName(each)} (${each.digest})`).join(', ')
  throw new DrayError('USAGE', `${name}: ${formatPlatform(wanted)} stands for several images: ${list}`, {
    hint: 'name the variant or version as well, or copy one of the digests',
  })
}

/** True for an image whose platform is `wanted`, or what it leaves open. */
export function isImageFor(entry: Descriptor, wanted: Platform): boolean {
  return isPlatformImage(entry) && entry.platform !== undefined && matchesPlatform(wanted, entry.platform)
}

/** The digest of the image that an attestation manifest of BuildKit belongs to, or undefined for other entries. */
export function attestedDigest({ annotations = {} }: Descriptor): string | undefined {
  const isAttestation = annotations['vnd.docker.reference.type'] === 'attestation-manifest'
  return isAttestation ? annotations['vnd.docker.reference.digest'] : undefined
}

/** The platforms that entries offer, each once, in order. */
export function offeredPlatforms(entries: readonly Descriptor[]): readonly string[] {
  return [...new Set(entries.filter(isPlatformImage).map(platformName))]
}

/** `NOT_FOUND`: none of the entries is for one of the platforms that were asked for. */
export function noPlatform(
  entries: readonly Descriptor[],
  wanted: readonly Platform[],
  name: string,
): DrayError {
  const offered = offeredPlatforms(entries)
  const list = offered.length === 0 ? 'no platform at all' : offered.join(', ')
  return new DrayError(
    'NOT_FOUND',
    `${name}: there is no image for ${wanted.map(formatPlatform).join(', ')}; there is ${list}`,
  )
}

function imagesFor(entries: readonly Descriptor[], wanted: Platform) {
  const matching = entries.filter(entry => isImageFor(entry, wanted))
  const exact = matching.filter(entry => platformName(entry) === formatPlatform(wanted))
  return { matching, exact }
}

/** True for an entry that says its platform; attestations and what is for no platform do not. */
export function isPlatformImage(entry: Descriptor): boolean {
  return (
    entry.platform !== undefined &&
    attestedDigest(entry) === undefined &&
    formatPlatform(entry.platform) !== unknownPlatform
  )
}

function platformName(entry: Descriptor): string {
  return entry.platform === undefined ? unknownPlatform : formatPlatform(entry.platform)
}

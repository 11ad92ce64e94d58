import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { formatPlatform } from '../oci/platform.ts'
import type { ManifestReader } from '../transfer/manifest-reader.ts'
import { attestedDigest, isPlatformImage } from '../transfer/platform-choice.ts'
import { listEntries } from '../transfer/platform-subset.ts'

/** What an index lists, also by the indexes in it; nothing for an image. */
export async function entriesOf(manifest: Manifest, reader: ManifestReader): Promise<readonly Descriptor[]> {
  return manifest.kind === 'index' ? listEntries(manifest, reader) : []
}

/**
 * The digests of entries by what they are: `linux/arm64`, `attestation of linux/arm64`, or a type. Several of a kind are
 * numbered: `linux/arm64 (2)`.
 */
export function namedEntries(entries: readonly Descriptor[]): ReadonlyMap<string, Digest> {
  const named = new Map<string, Digest>()
  for (const entry of entries) {
    const name = nameOf(entry, entries)
    let number = 1
    const numbered = () => (number === 1 ? name : `${name} (${number})`)
    while (named.has(numbered())) number += 1
    named.set(numbered(), entry.digest)
  }
  return named
}

function nameOf(entry: Descriptor, entries: readonly Descriptor[]): string {
  const attested = attestedDigest(entry)
  if (attested !== undefined) {
    const image = entries.find(({ digest }) => digest === attested)
    return `attestation of ${image?.platform === undefined ? attested : formatPlatform(image.platform)}`
  }
  if (entry.platform !== undefined && isPlatformImage(entry)) return formatPlatform(entry.platform)
  return entry.artifactType ?? entry.mediaType
}

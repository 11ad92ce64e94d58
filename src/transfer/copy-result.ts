import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import type { BlobOutcome } from './copy-blobs.ts'
import type { CopySettings } from './copy-options.ts'

/** What a copy did, or in a dry run would do. A plain object, to be printed as JSON; its fields only ever grow. */
export interface CopyResult {
  /** The names of the two stores. */
  readonly source: string
  readonly destination: string
  /** What `from` stands for at the source. */
  readonly sourceDigest: Digest
  /** What is at the destination now; another digest than the source's only for a platform subset or an unpacked image. */
  readonly digest: Digest
  readonly mediaType: string
  /** The size of that manifest in bytes. */
  readonly size: number
  /** True when `digest` is not `sourceDigest`. */
  readonly changed: boolean
  /** The tags that stand for `digest` at the destination now, whether they had to be written or not. */
  readonly tags: readonly string[]
  /** The platforms of the copied index (`linux/arm64`); absent when it is no index, or did not have to be read. */
  readonly platforms?: readonly string[]
  /** Manifests sent, and manifests that were there with all that is below them. */
  readonly manifests: { readonly copied: number; readonly present: number }
  /** What became of the distinct blobs of the manifests that were sent. */
  readonly blobs: Readonly<Record<BlobOutcome['how'], number>>
  /** Bytes of the blobs that were copied, each blob counted once. */
  readonly bytes: number
  readonly seconds: number
  readonly dryRun: boolean
  /** In a dry run only: all that would be done, in the order in which it would be done. */
  readonly plan?: readonly CopyStep[]
}

/** What a dry run would do with one blob or manifest. */
export interface CopyStep {
  readonly kind: 'blob' | 'manifest'
  readonly how: BlobOutcome['how']
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
  /** The tags that would be written with a manifest. */
  readonly tags?: readonly string[]
}

/** What became of a manifest, or would become of it in a dry run. */
export interface ManifestOutcome {
  readonly descriptor: Descriptor
  readonly how: 'copied' | 'present'
  /** The tags written with it. */
  readonly tags: readonly string[]
}

/** What was done, in order. */
export interface CopyRecord {
  readonly root: Descriptor
  /** What was taken of the root: all, or what the platforms asked for. */
  readonly image: Descriptor
  readonly platforms?: readonly string[] | undefined
  readonly blobs: readonly BlobOutcome[]
  readonly manifests: readonly ManifestOutcome[]
}

/** Sums up what was done. */
export function copyResult(record: CopyRecord, settings: CopySettings, durationMs: number): CopyResult {
  const { root, image, platforms, blobs, manifests } = record
  const count = (outcomes: readonly { how: string }[], how: string) =>
    outcomes.filter(each => each.how === how).length
  return {
    source: settings.source.name,
    destination: settings.destination.name,
    sourceDigest: root.digest,
    digest: image.digest,
    mediaType: image.mediaType,
    size: image.size,
    changed: image.digest !== root.digest,
    tags: settings.tags,
    ...(platforms === undefined ? {} : { platforms }),
    manifests: { copied: count(manifests, 'copied'), present: count(manifests, 'present') },
    blobs: {
      copied: count(blobs, 'copied'),
      mounted: count(blobs, 'mounted'),
      present: count(blobs, 'present'),
      foreign: count(blobs, 'foreign'),
    },
    bytes: blobs.reduce((sum, { how, descriptor }) => (how === 'copied' ? sum + descriptor.size : sum), 0),
    seconds: Math.round(durationMs) / 1000,
    dryRun: settings.dryRun,
    ...(settings.dryRun ? { plan: copySteps(record) } : {}),
  }
}

function copySteps({ blobs, manifests }: CopyRecord): readonly CopyStep[] {
  return [
    ...blobs.map(({ how, descriptor }) => ({ kind: 'blob' as const, how, ...pick(descriptor) })),
    ...manifests.map(({ how, descriptor, tags }) => ({
      kind: 'manifest' as const,
      how,
      ...pick(descriptor),
      tags,
    })),
  ]
}

function pick({ digest, mediaType, size }: Descriptor): Pick<Descriptor, 'digest' | 'mediaType' | 'size'> {
  return { digest, mediaType, size }
}

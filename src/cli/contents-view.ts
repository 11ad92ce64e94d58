import type { StoredImage } from '../bundle/contents.ts'
import { platformsOf, sizeOf } from '../bundle/describe-image.ts'
import { attachedTo, formatImageName } from '../bundle/image-name.ts'
import type { Digest } from '../oci/digest.ts'
import { referrerOf } from '../oci/manifest.ts'
import { printable } from './printable.ts'
import type { OpenContents } from './stored-contents.ts'
import { alignRows } from './text-width.ts'
import { formatBytes } from './units.ts'

/** What a folder or archive holds, as `dray ls PATH --format json` prints it. Sizes are in bytes. */
export interface ContentsDocument {
  readonly path: string
  /** Of what kind it is: `oci`, `oci-archive`, `docker-archive` or `dir`. */
  readonly kind: string
  /** All that is listed below, what is shared counted once. */
  readonly size: number
  readonly images: readonly ContainedImage[]
}

/** An image under one of its names. */
export interface ContainedImage {
  /** In full, or its tag where that is all; null where it has none. */
  readonly name: string | null
  /** With its registry. */
  readonly repository: string | null
  readonly tag: string | null
  readonly digest: Digest
  readonly mediaType: string
  readonly artifactType: string | null
  readonly platforms: readonly string[]
  /** With all its platforms, and without what refers to it. */
  readonly size: number
  /** The image to which it belongs by its tag, as cosign keeps signatures; else null. */
  readonly attachedTo: Digest | null
  /** What refers to it: signatures, SBOMs, attestations. */
  readonly referrers: readonly ContainedReferrer[]
}

/** A manifest that refers to an image. */
export interface ContainedReferrer {
  readonly digest: Digest
  readonly artifactType: string | null
  readonly size: number
}

/** @throws DrayError what the reading of configurations throws */
export async function contentsDocument(contents: OpenContents): Promise<ContentsDocument> {
  const { store, kind, path, images } = contents
  const contained: ContainedImage[] = []
  for (const image of images) {
    const { name, descriptor, manifests, referrers } = image
    contained.push({
      name: formatImageName(name) ?? null,
      repository: name.repository ?? null,
      tag: name.tag ?? null,
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      artifactType: manifests[0]?.content.artifactType ?? null,
      platforms: await platformsOf(store, image),
      size: sizeOf(manifests),
      attachedTo: ownerOf(image, images) ?? null,
      referrers: referrers.map(manifest => ({
        digest: manifest.digest,
        artifactType: referrerOf(manifest).artifactType ?? null,
        size: sizeOf([manifest]),
      })),
    })
  }
  const all = images.flatMap(({ manifests, referrers }) => [...manifests, ...referrers])
  return { path, kind, size: sizeOf(all), images: contained }
}

/** The listed image to which another belongs by its tag, or to a part of which; else what the tag says. */
function ownerOf({ name }: StoredImage, images: readonly StoredImage[]): Digest | undefined {
  const subject = attachedTo(name.tag)
  const owner = images.find(({ manifests }) => manifests.some(({ digest }) => digest === subject))
  return owner?.descriptor.digest ?? subject
}

/** A line for each image: name, digest, size, platforms, and how much belongs to it. */
export function contentsText({ images }: ContentsDocument): string {
  const digests = new Set(images.map(({ digest }) => digest))
  const own = images.filter(({ attachedTo }) => attachedTo === null || !digests.has(attachedTo))
  const rows = own.map(({ name, digest, size, platforms, referrers }) => {
    const attached = images.filter(({ attachedTo }) => attachedTo === digest).length + referrers.length
    const more = attached === 0 ? [] : [`+ ${attached} that belong${attached === 1 ? 's' : ''} to it`]
    const about = [...(platforms.length === 0 ? [] : [platforms.join(',')]), ...more].join(' ')
    return [printable(name ?? '-'), digest, formatBytes(size), printable(about)]
  })
  return alignRows(rows, [2])
    .map(line => `${line}\n`)
    .join('')
}

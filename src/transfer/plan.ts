import { DrayError } from '../errors.ts'
import type { ImageDestination, ImageSource } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { childBlobs, childManifests, descriptorOf, type Manifest } from '../oci/manifest.ts'
import { isForeignLayerType } from '../oci/media-types.ts'
import type { WorkGroup } from '../work-group.ts'
import { type ManifestReader, maxIndexDepth, tooDeep } from './manifest-reader.ts'

/** What is missing at a destination for one manifest, which is missing itself. */
export interface CopyPlan {
  /** The missing manifests below it, children before parents: all of one step may be written at the same time. */
  readonly steps: readonly (readonly Manifest[])[]
  /** The manifests that are there already, with all that is below them. */
  readonly present: readonly Descriptor[]
  /** The blobs of it and the missing manifests, each digest once, biggest first. */
  readonly blobs: readonly Descriptor[]
}

export interface PlanOptions {
  readonly source: Pick<ImageSource, 'name' | 'metersReads'>
  readonly destination: Pick<ImageDestination, 'find'>
  readonly reader: ManifestReader
  readonly group: WorkGroup
  /** Plan for everything, without asking what is there. */
  readonly force: boolean
}

/**
 * Walks from a manifest that is missing at the destination down to its blobs. Where a manifest stands in an index it
 * is a manifest, else a blob, whatever its media type. A `subject` is not followed.
 * @throws DrayError `NOT_FOUND` for a sparse index; `INTEGRITY` for a digest with two sizes or a tree that is too deep
 */
export async function planCopy(root: Manifest, options: PlanOptions): Promise<CopyPlan> {
  const { source } = options
  const levels: (readonly Manifest[])[] = []
  const depths = new Map<Digest, number>([[root.digest, 0]])
  const present = new Map<Digest, Descriptor>()
  const distinct = distinctBySize(source.name)
  let level = distinct([descriptorOf(root)])
  while (level.length > 0) {
    const depth = levels.length
    if (depth > maxIndexDepth + 1) throw tooDeep(source.name)
    const missing = await findMissing(level, { ...options, depths, present })
    // What is seen again further down is written with the deeper level; a circle so ends at the limit.
    for (const { digest } of missing) depths.set(digest, depth)
    levels.push(missing)
    level = distinct(missing.flatMap(childManifests))
  }
  const steps = levels.map((manifests, depth) =>
    manifests.filter(({ digest }) => depths.get(digest) === depth),
  )
  const blobs = steps.flat().flatMap(childBlobs)
  return {
    steps: steps.slice(1).reverse(),
    present: [...present.values()],
    blobs: distinct(ordinaryFirst(blobs)).toSorted((one, other) => other.size - one.size),
  }
}

interface Seen {
  /** The missing manifests that were read, each with the deepest level it was seen at. */
  readonly depths: ReadonlyMap<Digest, number>
  readonly present: Map<Digest, Descriptor>
}

async function findMissing(
  level: readonly Descriptor[],
  options: PlanOptions & Seen,
): Promise<readonly Manifest[]> {
  const { source, destination, reader, group, force, depths, present } = options
  const found = await group.map(level, async descriptor => {
    const { digest } = descriptor
    if (present.has(digest)) return undefined
    const isMissing = force || depths.has(digest)
    // What a missing index lists is seldom there, so both ends are asked at the same time where a read costs nothing.
    const finding = isMissing ? undefined : destination.find(digest)
    const reading = isMissing || !source.metersReads ? reader.readEntry(descriptor) : undefined
    // What cannot be read is of no interest if it is there; but nothing may be left running.
    await Promise.allSettled([finding, reading])
    if ((await finding) !== undefined) {
      present.set(digest, descriptor)
      return undefined
    }
    return await (reading ?? reader.readEntry(descriptor))
  })
  return found.filter(manifest => manifest !== undefined)
}

/** A digest listed as a foreign layer and as an ordinary one has to be at the destination. */
function ordinaryFirst(blobs: readonly Descriptor[]): readonly Descriptor[] {
  const isForeign = ({ mediaType }: Descriptor) => isForeignLayerType(mediaType)
  return [...blobs.filter(blob => !isForeign(blob)), ...blobs.filter(isForeign)]
}

/** Gives back a function that keeps the first descriptor of each digest, and remembers the sizes over all its calls. */
function distinctBySize(name: string): (descriptors: readonly Descriptor[]) => readonly Descriptor[] {
  const sizes = new Map<Digest, number>()
  return descriptors => {
    const first = new Map<Digest, Descriptor>()
    for (const descriptor of descriptors) {
      const { digest, size } = descriptor
      const known = sizes.get(digest) ?? size
      if (known !== size) {
        throw new DrayError(
          'INTEGRITY',
          `${name}@${digest}: listed with ${known} bytes and with ${size} bytes`,
        )
      }
      sizes.set(digest, size)
      if (!first.has(digest)) first.set(digest, descriptor)
    }
    return [...first.values()]
  }
}

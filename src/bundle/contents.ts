import { isDrayError } from '../errors.ts'
import type { ImageSource } from '../image-store.ts'
import type { LayoutReader } from '../layout/layout-reader.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { childManifests, type Manifest } from '../oci/manifest.ts'
import { ManifestReader } from '../transfer/manifest-reader.ts'
import { formatImageName, type ImageName, nameOfEntry } from './image-name.ts'

/** An image as a store lists it, under one of its names. */
export interface ListedImage {
  readonly name: ImageName
  readonly descriptor: Descriptor
}

/** An image with all that belongs to it. */
export interface StoredImage extends ListedImage {
  /** Its own manifest, and those below it that are there. */
  readonly manifests: readonly Manifest[]
  /** What refers to one of them, or to one of these in turn. */
  readonly referrers: readonly Manifest[]
}

/** The images that a layout's index.json lists, with their names. */
export async function listImages(layout: LayoutReader): Promise<readonly ListedImage[]> {
  return (await layout.listEntries()).map(descriptor => ({ name: nameOfEntry(descriptor), descriptor }))
}

/**
 * Puts together what belongs together: each name once, and what has neither a name nor a subject that is there. What has
 * a subject alone belongs to that (distribution-spec v1.1, "Listing Referrers").
 * @throws DrayError what the reading of manifests throws
 */
export async function storedImages(
  store: ImageSource,
  images: readonly ListedImage[],
): Promise<readonly StoredImage[]> {
  const reader = new ManifestReader(store)
  const listed = namedOnce(images)
  const unnamed = listed.filter(({ name }) => formatImageName(name) === undefined)
  const referrers = new Map<Digest, Manifest[]>()
  for (const { descriptor } of unnamed) {
    const manifest = await readIfThere(reader, descriptor)
    const subject = manifest?.content.subject?.digest
    if (manifest === undefined || subject === undefined) continue
    referrers.set(subject, [...(referrers.get(subject) ?? []), manifest])
  }
  const referring = new Set([...referrers.values()].flat().map(({ digest }) => digest))
  const gather = (images: readonly ListedImage[]) => gatherAll(images, { reader, referrers })
  const stored = await gather(listed.filter(({ descriptor }) => !referring.has(descriptor.digest)))
  const reached = new Set(stored.flatMap(image => image.referrers).map(({ digest }) => digest))
  const left = unnamed.filter(({ descriptor: { digest } }) => referring.has(digest) && !reached.has(digest))
  return [...stored, ...(await gather(left))]
}

/** Of images with one name the last counts. What has a name is not listed without one too. */
function namedOnce(images: readonly ListedImage[]): readonly ListedImage[] {
  const named = new Map<string, ListedImage>()
  for (const image of images) {
    const name = formatImageName(image.name)
    if (name !== undefined) named.set(name, image)
  }
  const digests = new Set([...named.values()].map(({ descriptor }) => descriptor.digest))
  const unnamed = new Map<Digest, ListedImage>()
  for (const image of images) {
    const { digest } = image.descriptor
    if (formatImageName(image.name) === undefined && !digests.has(digest)) unnamed.set(digest, image)
  }
  return [...named.values(), ...unnamed.values()]
}

interface Gathering {
  readonly reader: ManifestReader
  /** By their subject. */
  readonly referrers: ReadonlyMap<Digest, readonly Manifest[]>
}

async function gatherAll(images: readonly ListedImage[], gathering: Gathering): Promise<StoredImage[]> {
  const gathered: StoredImage[] = []
  for (const image of images) gathered.push(await gather(image, gathering))
  return gathered
}

async function gather(image: ListedImage, { reader, referrers }: Gathering): Promise<StoredImage> {
  const manifests = await treeOf(image.descriptor, reader)
  const found = new Map<Digest, Manifest>()
  const subjects = [...manifests]
  for (let subject = subjects.shift(); subject !== undefined; subject = subjects.shift()) {
    for (const manifest of referrers.get(subject.digest) ?? []) {
      if (found.has(manifest.digest)) continue
      found.set(manifest.digest, manifest)
      subjects.push(manifest)
    }
  }
  return { ...image, manifests, referrers: [...found.values()] }
}

async function treeOf(root: Descriptor, reader: ManifestReader): Promise<readonly Manifest[]> {
  const found = new Map<Digest, Manifest>()
  const ahead = [root]
  for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
    const manifest = found.has(next.digest) ? undefined : await readIfThere(reader, next)
    if (manifest === undefined) continue
    found.set(manifest.digest, manifest)
    ahead.push(...childManifests(manifest))
  }
  return [...found.values()]
}

async function readIfThere(reader: ManifestReader, descriptor: Descriptor): Promise<Manifest | undefined> {
  try {
    return await reader.read(descriptor)
  } catch (error) {
    if (isDrayError(error, 'NOT_FOUND')) return undefined
    throw error
  }
}

import { DrayError, quote } from '../errors.ts'
import type { TagOrDigest } from '../image-store.ts'
import type { LayoutReader } from '../layout/layout-reader.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { isDigest } from '../oci/digest.ts'
import { listImages, storedImages } from './contents.ts'
import { attachedTo, formatImageName, nameOfEntry, parseImageName } from './image-name.ts'

/**
 * What to ask a layout for, to get the image that a user named: by the layout's own name for it, by another way to write
 * this (`alpine:3.20` for `docker.io/library/alpine:3.20`), or by a tag that only one image there has.
 * @throws DrayError `NOT_FOUND`; `USAGE` where a tag stands for several images
 */
export async function findNamed(layout: LayoutReader, name: string): Promise<TagOrDigest> {
  if ((await layout.listTags()).includes(name)) return name
  const entries = await layout.listEntries()
  const wanted = parseImageName(name)
  const inFull = formatImageName(wanted)
  const fits = (entry: Descriptor) => {
    const known = nameOfEntry(entry)
    return wanted.repository === undefined ? known.tag === wanted.tag : formatImageName(known) === inFull
  }
  const found = entries.filter(entry => inFull !== undefined && fits(entry))
  const last = found.at(-1)
  if (last === undefined) throw noSuchImage(layout, name, entries)
  if (wanted.repository !== undefined || found.every(({ digest }) => digest === last.digest))
    return ownName(last, entries) ?? last.digest
  throw new DrayError('USAGE', `${layout.name}: several images have the tag ${quote(name)}`, {
    hint: `name one of them: ${offer(found)}`,
  })
}

/** What the layout itself calls an image, where it calls no other so. */
function ownName(entry: Descriptor, entries: readonly Descriptor[]): string | undefined {
  const refNameOf = ({ annotations }: Descriptor) => annotations?.['org.opencontainers.image.ref.name']
  const own = refNameOf(entry)
  return entries.filter(other => refNameOf(other) === own).length === 1 ? own : undefined
}

/**
 * The digest of the only image in a layout, beside which there may be what refers to it.
 * @throws DrayError `NOT_FOUND` when there is none, `USAGE` when there are several
 */
export async function soleImage(layout: LayoutReader): Promise<TagOrDigest> {
  if ((await layout.listManifests()).length < 2) return layout.soleReference()
  const images = await storedImages(layout, await listImages(layout))
  const own = images.filter(({ name }) => attachedTo(name.tag) === undefined)
  const [digest, ...others] = new Set(own.map(({ descriptor }) => descriptor.digest))
  return digest !== undefined && others.length === 0 ? digest : layout.soleReference()
}

function noSuchImage({ name: store }: LayoutReader, name: string, entries: readonly Descriptor[]): DrayError {
  const what = isDigest(name) ? 'image' : 'tag'
  const offered = offer(entries)
  return new DrayError('NOT_FOUND', `${store}: there is no ${what} ${quote(name)}`, {
    hint: offered === '' ? undefined : `there is ${offered}`,
  })
}

function offer(entries: readonly Descriptor[]): string {
  const names = entries.map(entry => formatImageName(nameOfEntry(entry))).filter(name => name !== undefined)
  return [...new Set(names)].slice(0, 10).map(quote).join(', ')
}

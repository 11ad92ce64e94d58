import { stat } from 'node:fs/promises'
import { type ListedImage, listImages, type StoredImage, storedImages } from '../bundle/contents.ts'
import { parseImageName } from '../bundle/image-name.ts'
import { DrayError, isDrayError } from '../errors.ts'
import { onDisk } from '../files/io-error.ts'
import type { ImageSource } from '../image-store.ts'
import type { FileLocation } from './location.ts'
import { type OpenStore, openStore, type StorageContext, type StoredPlace } from './stored-places.ts'

/** A folder or archive that is open, with the images in it. */
export interface OpenContents {
  readonly path: string
  readonly kind: FileLocation['kind']
  readonly store: ImageSource
  readonly images: readonly StoredImage[]
}

/**
 * Opens a folder or archive, told by what is in it, and lists its images; `-` is an archive on stdin.
 * @throws DrayError `NOT_FOUND` where there are no images; what opening and reading throw
 */
export async function openContents(path: string, context: StorageContext): Promise<OpenContents> {
  const place = await identify(path, context)
  const store = await openStore(place, context).catch(error => {
    if (!isDrayError(error, 'NOT_FOUND')) throw error
    const text = place.tar === undefined ? 'not a folder of images' : 'not an archive of images'
    throw new DrayError('NOT_FOUND', `${path}: ${text}`, { cause: error, hint: error.message })
  })
  return contentsOf(place, store)
}

/** The same where the kind is known. */
export async function openContentsOf(place: StoredPlace, context: StorageContext): Promise<OpenContents> {
  return contentsOf(place, await openStore(place, context))
}

async function contentsOf({ kind, path }: StoredPlace, store: OpenStore): Promise<OpenContents> {
  return { kind, path, store, images: await storedImages(store, await listOf(store)) }
}

async function identify(path: string, context: StorageContext): Promise<StoredPlace> {
  if (path !== '-' && (await onDisk(path, stat(path))).isDirectory()) {
    const { isLayout } = await import('../layout/layout-file.ts')
    return { kind: (await isLayout(path)) ? 'oci' : 'dir', path }
  }
  const { openArchive } = await import('../tar/open-archive.ts')
  const { tmpDir: temporaryFolder, signal, streams } = context
  const source = path === '-' ? streams.readStdin(path) : path
  const tar = await openArchive(source, { temporaryFolder, signal, name: path })
  // Docker's archives hold a layout too, which may list more than is there.
  const isDockers = tar.find('manifest.json') !== undefined || tar.find('oci-layout') === undefined
  return { kind: isDockers ? 'docker-archive' : 'oci-archive', path, tar }
}

async function listOf(store: OpenStore): Promise<readonly ListedImage[]> {
  if ('listEntries' in store) return listImages(store)
  if (!('list' in store)) return [{ name: {}, descriptor: await store.resolve(await store.soleReference()) }]
  const images: ListedImage[] = []
  for (const { reference, names } of store.list()) {
    const descriptor = await store.resolve(reference)
    if (names.length === 0) images.push({ name: {}, descriptor })
    for (const name of names) images.push({ name: parseImageName(name), descriptor })
  }
  return images
}

import { stat } from 'node:fs/promises'
import { DrayError, quote } from '../errors.ts'
import { onDisk } from '../files/io-error.ts'
import { makeFolder } from '../files/make-folder.ts'
import type { Chunks } from '../flow.ts'
import type {
  BlobRange,
  ImageDestination,
  ImageSource,
  OpenContent,
  PutBlobOptions,
  PutBlobResult,
  TagOrDigest,
} from '../image-store.ts'
import { collect, verified } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../oci/digest.ts'
import { childBlobs, childManifests, descriptorOf, type Manifest, maxManifestBytes } from '../oci/manifest.ts'
import { parseManifest } from '../oci/parse-manifest.ts'
import {
  blobName,
  childName,
  isContent,
  isSignature,
  manifestName,
  signedChild,
  versionName,
} from './file-names.ts'
import { FolderFiles } from './folder-files.ts'

const version = 'Directory Transport Version: 1.1\n'
const longestVersion = 100

export interface OpenImageFolderOptions {
  /** The folder is to be written to; where it is missing or empty it is made with the first write. */
  readonly create?: boolean | undefined
}

/**
 * Opens a folder that holds one image as skopeo's and Podman's `dir:` has it (containers-transports(5)). Nothing is
 * written by opening.
 * @throws DrayError `NOT_FOUND` where there is no such image; with `create` `USAGE` where there is something else;
 * `UNSUPPORTED` for another version of the format; `IO`
 */
export async function openImageFolder(
  dir: string,
  options: OpenImageFolderOptions = {},
): Promise<ImageFolder> {
  const files = new FolderFiles(dir)
  const names = await files.list()
  const hasVersion = await isMarked(files)
  if (options.create && !hasVersion && names.length > 0) {
    throw new DrayError('USAGE', `${dir}: not empty, and not an image that dir: has written`, {
      hint: 'name a new folder or an empty one',
    })
  }
  if (!options.create && !names.includes(manifestName)) {
    await onDisk(dir, stat(dir))
    throw new DrayError('NOT_FOUND', `${dir}: not an image as dir: has it, there is no ${manifestName}`, {
      hint: names.includes('oci-layout') ? 'it is an OCI image layout, which oci: reads' : undefined,
    })
  }
  const signatures = names.filter(name => isSignature(name) || signedChild(name) !== undefined).length
  return new ImageFolder(files, { hasVersion, signatures })
}

/** @throws DrayError `UNSUPPORTED` for another version */
async function isMarked(files: FolderFiles): Promise<boolean> {
  const size = await files.size(versionName)
  if (size === undefined || size > longestVersion) return false
  const found = (await collect(files.read(versionName), longestVersion, versionName)).toString()
  if (found === version) return true
  if (!found.startsWith('Directory Transport Version:')) return false
  throw new DrayError('UNSUPPORTED', `${files.dir}: ${quote(found.trim())} is not supported (1.1 is)`)
}

/**
 * One image in a folder: `manifest.json`, the manifests that it lists as `<hex>.manifest.json`, and blobs as `<hex>`. It
 * has no tags. Signatures in the folder are left alone while they are of what is in it.
 */
export class ImageFolder implements ImageSource, ImageDestination {
  readonly name: string
  readonly verifiesBlobs = true
  /** What is in the folder and not read, as sentences. */
  readonly oddities: readonly string[]
  readonly #files: FolderFiles
  #hasVersion: boolean
  #hasNewImage = false
  #hasEnded = false

  /** For `openImageFolder`, which looks before. */
  constructor(files: FolderFiles, found: { readonly hasVersion: boolean; readonly signatures: number }) {
    this.name = `dir:${files.dir}`
    this.oddities =
      found.signatures === 0 ? [] : [`${this.name}: signatures are not read; there are ${found.signatures}`]
    this.#files = files
    this.#hasVersion = found.hasVersion
  }

  async resolve(reference: TagOrDigest): Promise<Descriptor> {
    if (isDigest(reference)) return descriptorOf(await this.#manifest(reference))
    throw new DrayError('NOT_FOUND', `${this.name}: there is no tag ${quote(reference)}, a folder has none`)
  }

  async getManifest({ digest, mediaType }: Descriptor): Promise<Manifest> {
    return this.#manifest(digest, mediaType)
  }

  /** A manifest by its digest. */
  async readManifest(reference: TagOrDigest): Promise<Manifest> {
    return this.getManifest(await this.resolve(reference))
  }

  /** The digest of the image. @throws DrayError `NOT_FOUND`, `INTEGRITY` for a malformed manifest */
  async soleReference(): Promise<Digest> {
    const bytes = await this.#readBytes(manifestName)
    if (bytes !== undefined) return parseManifest(bytes, { name: this.name }).digest
    throw new DrayError('NOT_FOUND', `${this.name}: the folder holds no image`)
  }

  async getBlob(descriptor: Descriptor, range?: BlobRange): Promise<Chunks> {
    const { digest } = descriptor
    const name = blobName(digest)
    if ((await this.#files.size(name)) === undefined) {
      throw new DrayError('NOT_FOUND', `${this.name}: there is no blob ${digest}`)
    }
    const content = this.#files.read(name, range)
    return range === undefined ? verified(content, descriptor, `${this.name}: blob ${digest}`) : content
  }

  async findBlob(digest: Digest): Promise<Descriptor | undefined> {
    const size = await this.#files.size(blobName(digest))
    return size === undefined ? undefined : { mediaType: 'application/octet-stream', digest, size }
  }

  /** The image itself only: a manifest that is listed in an index is here for that index alone. */
  async find(reference: TagOrDigest): Promise<Descriptor | undefined> {
    if (!isDigest(reference)) return undefined
    const bytes = await this.#imageBytes(reference)
    return bytes && descriptorOf(parseManifest(bytes, { digest: reference, name: this.name }))
  }

  async hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    return (await this.findBlob(digest))?.size === size
  }

  async putBlob(
    descriptor: Descriptor,
    open: OpenContent,
    options: PutBlobOptions = {},
  ): Promise<PutBlobResult> {
    if (await this.hasBlob(descriptor)) return 'present'
    await this.#create()
    const { digest } = descriptor
    const content = verified(await open(0), descriptor, `${this.name}: blob ${digest}`)
    await this.#files.write(blobName(digest), content, options.signal)
    return 'copied'
  }

  /**
   * Stores a manifest: as the folder's image where `tags` is an empty array, else as one that an index lists. An image that
   * was there before is one no longer, nor are its signatures there.
   * @throws DrayError `UNSUPPORTED` for tags; `IO`
   */
  async putManifest(manifest: Manifest, tags?: readonly string[]): Promise<void> {
    if (tags !== undefined && tags.length > 0) {
      throw new DrayError('UNSUPPORTED', `${this.name}: a folder of this kind has no tags`)
    }
    await this.#create()
    const { digest, bytes } = manifest
    if (tags === undefined) return this.#files.write(childName(digest), only(bytes))
    if ((await this.find(digest)) === undefined) {
      await this.#files.remove((await this.#files.list()).filter(isSignature))
    }
    await this.#files.write(manifestName, only(bytes))
    this.#hasNewImage = true
  }

  /** Removes blobs, manifests and signatures to which a new image does not lead. @throws DrayError `INTEGRITY`, `IO` */
  async finish(): Promise<void> {
    this.#checkOpen()
    if (this.#hasNewImage) {
      const kept = await this.#namesOf(await this.readManifest(await this.soleReference()))
      const names = await this.#files.list()
      await this.#files.remove(names.filter(name => isContent(name) && !kept.has(signedChild(name) ?? name)))
    }
    this.#hasEnded = true
  }

  /** Marks the folder first, so that what is left after a failure can be gone on with. */
  async #create(): Promise<void> {
    this.#checkOpen()
    if (this.#hasVersion) return
    await makeFolder(this.#files.dir)
    await this.#files.write(versionName, only(Buffer.from(version)))
    this.#hasVersion = true
  }

  #checkOpen(): void {
    if (this.#hasEnded) throw new Error(`${this.name}: nothing can be put any more`)
  }

  async #manifest(digest: Digest, mediaType?: string): Promise<Manifest> {
    const name = `${this.name}@${digest}`
    const bytes = (await this.#readBytes(childName(digest))) ?? (await this.#imageBytes(digest))
    if (bytes !== undefined) return parseManifest(bytes, { digest, mediaType, name })
    throw new DrayError('NOT_FOUND', `${name}: there is no such manifest`)
  }

  /** The image's own manifest, where it has this digest. */
  async #imageBytes(digest: Digest): Promise<Buffer | undefined> {
    const bytes = await this.#readBytes(manifestName)
    return bytes !== undefined && digestOf(bytes, algorithmOf(digest)) === digest ? bytes : undefined
  }

  async #readBytes(name: string): Promise<Buffer | undefined> {
    if ((await this.#files.size(name)) === undefined) return undefined
    return collect(this.#files.read(name), maxManifestBytes, `${this.name}: ${name}`)
  }

  /** The files of all that the image leads to. */
  async #namesOf(image: Manifest): Promise<ReadonlySet<string>> {
    const names = new Set<string>()
    for (const manifests = [image]; ; ) {
      const manifest = manifests.pop()
      if (manifest === undefined) return names
      for (const { digest } of childBlobs(manifest)) names.add(blobName(digest))
      for (const child of childManifests(manifest)) {
        const isThere = (await this.#files.size(childName(child.digest))) !== undefined
        if (isThere && !names.has(childName(child.digest))) manifests.push(await this.getManifest(child))
        names.add(childName(child.digest))
      }
    }
  }
}

async function* only(bytes: Uint8Array): Chunks {
  yield bytes
}

import { DrayError, isDrayError } from '../errors.ts'
import { collect } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf } from '../oci/digest.ts'
import { descriptorOf, type Manifest, maxManifestBytes } from '../oci/manifest.ts'
import { parseManifest } from '../oci/parse-manifest.ts'
import type { BlobFiles } from './layout-files.ts'

/** A blob that is to be read as a manifest. */
export interface ManifestBlob {
  readonly blobs: Pick<BlobFiles, 'size' | 'read'>
  readonly digest: Digest
  /** What the parent or index says that it is. */
  readonly mediaType?: string | undefined
  /** What the manifest is called in messages. */
  readonly name: string
}

/**
 * Reads a manifest and verifies it.
 * @throws DrayError `NOT_FOUND`, `INTEGRITY`, `UNSUPPORTED` for schema 1
 */
export async function readManifest({ blobs, digest, mediaType, name }: ManifestBlob): Promise<Manifest> {
  if ((await blobs.size(digest)) === undefined) {
    throw new DrayError('NOT_FOUND', `${name}: there is no such manifest`)
  }
  const bytes = await collect(blobs.read(digest), maxManifestBytes, name)
  return parseManifest(bytes, { digest, mediaType, name })
}

/**
 * The descriptor of a blob that nothing calls a manifest yet.
 * @throws DrayError `NOT_FOUND`, also when it is something else; `INTEGRITY` when it does not have its digest
 */
export async function describeManifest(blob: ManifestBlob): Promise<Descriptor> {
  const size = await blob.blobs.size(blob.digest)
  if (size !== undefined && size > maxManifestBytes) throw notAManifest(blob)
  try {
    return descriptorOf(await readManifest(blob))
  } catch (error) {
    const isMalformed = isDrayError(error, 'INTEGRITY') && (await hasItsDigest(blob))
    throw isMalformed ? notAManifest(blob, error) : error
  }
}

async function hasItsDigest({ blobs, digest, name }: ManifestBlob): Promise<boolean> {
  const bytes = await collect(blobs.read(digest), maxManifestBytes, name)
  return digestOf(bytes, algorithmOf(digest)) === digest
}

function notAManifest({ digest, name }: ManifestBlob, cause?: unknown): DrayError {
  return new DrayError('NOT_FOUND', `${name}: the blob ${digest} is not a manifest`, { cause })
}

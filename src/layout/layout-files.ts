import type { Chunks } from '../flow.ts'
import type { Digest } from '../oci/digest.ts'
import type { IndexDocument } from './index-document.ts'

/** The first and last byte to read, both inclusive; the whole blob where left out. And how it is read. */
export interface ByteRange {
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** The largest piece that suits who asks; a file is read in such pieces, an archive as it can be. */
  readonly pieceBytes?: number | undefined
}

/** The blobs of a layout, whatever they lie in (image-spec v1.1, image-layout.md#blobs). */
export interface BlobFiles {
  /** The digests of the blobs that are there, in no order. */
  list(): Promise<readonly Digest[]>
  /** The size of a blob in bytes, or undefined where it is absent. */
  size(digest: Digest): Promise<number | undefined>
  /**
   * The bytes of a blob as they are, which may not be those of its digest.
   * @throws DrayError `NOT_FOUND`, `ABORTED`, `IO`; the iteration throws them too
   */
  read(digest: Digest, range?: ByteRange): Chunks
}

/** Where the files of a layout are: in a folder, or in an archive. */
export interface LayoutFiles {
  /** What index.json is called in messages. */
  readonly indexPath: string
  readonly blobs: BlobFiles
  /** What index.json holds. @throws DrayError `INTEGRITY` when it is missing, too large or malformed, `IO` */
  index(): Promise<IndexDocument>
}

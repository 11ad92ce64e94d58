import { type Chunks, flow, pour } from '../flow.ts'
import { verified } from '../oci/content.ts'
import type { Digest } from '../oci/digest.ts'
import type { IndexDocument } from './index-document.ts'
import type { BlobFiles, ByteRange, LayoutFiles } from './layout-files.ts'

/** A layout that takes the place of an old one, to which it adds. */
export interface UpdatedFilesParts {
  /** What is new, and index.json. */
  readonly young: LayoutFiles
  /** What stays. */
  readonly old: LayoutFiles
  /** What the layout is called in messages. */
  readonly name: string
}

/** The files of a layout of which a part is still in the old one. What comes from there whole is verified. */
export class UpdatedFiles implements LayoutFiles, BlobFiles {
  readonly blobs = this
  readonly #parts: UpdatedFilesParts

  constructor(parts: UpdatedFilesParts) {
    this.#parts = parts
  }

  get indexPath(): string {
    return this.#parts.young.indexPath
  }

  index(): Promise<IndexDocument> {
    return this.#parts.young.index()
  }

  async list(): Promise<Digest[]> {
    const { young, old } = this.#parts
    return [...new Set([...(await young.blobs.list()), ...(await old.blobs.list())])]
  }

  async size(digest: Digest): Promise<number | undefined> {
    const { young, old } = this.#parts
    return (await young.blobs.size(digest)) ?? (await old.blobs.size(digest))
  }

  read(digest: Digest, range?: ByteRange): Chunks {
    const { young } = this.#parts
    return flow(async take => {
      const isYoung = (await young.blobs.size(digest)) !== undefined
      await pour(isYoung ? young.blobs.read(digest, range) : await this.#readOld(digest, range), take)
    })
  }

  async #readOld(digest: Digest, range: ByteRange = {}): Promise<Chunks> {
    const { blobs } = this.#parts.old
    const content = blobs.read(digest, range)
    if (range.start !== undefined || range.end !== undefined) return content
    const descriptor = { mediaType: '', digest, size: (await blobs.size(digest)) ?? 0 }
    return verified(content, descriptor, `${this.#parts.name}: blob ${digest}`)
  }
}

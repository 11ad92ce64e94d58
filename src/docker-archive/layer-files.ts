import { quote } from '../errors.ts'
import { flow, pour } from '../flow.ts'
import { type Digest, DigestCounter } from '../oci/digest.ts'
import { type Compression, compressionOf, magicBytes } from '../tar/compression.ts'
import { decompressed } from '../tar/decompress.ts'
import type { TarFile } from '../tar/tar-file.ts'
import type { TarFileEntry } from '../tar/tar-header.ts'
import { tarFault } from '../tar/tar-limits.ts'
import { findFile } from './archive-file.ts'

/** A layer as it lies in an archive. */
export interface LayerFile {
  readonly compression: Compression
  readonly digest: Digest
  /** In bytes. */
  readonly size: number
}

/** What is found out of a layer by reading it. */
export interface MeasuredLayer {
  readonly digest: Digest
  /** The digest of the layer without its compression. */
  readonly diffId: Digest
}

/** The layers of a docker archive. Where several paths are links to one file, that file is read once. */
export class LayerFiles {
  readonly #tar: TarFile
  readonly #measured = new Map<TarFileEntry, Promise<MeasuredLayer>>()

  constructor(tar: TarFile) {
    this.#tar = tar
  }

  /** @throws DrayError `INTEGRITY` where there is no such file */
  find(path: string): TarFileEntry {
    return findFile(this.#tar, path)
  }

  /**
   * Describes a layer. One that is not compressed is not read for that: its digest is its diff id, and whoever reads it
   * sees whether that is right. A compressed one is read, once, and its diff id checked.
   * @throws DrayError `INTEGRITY`, `UNSUPPORTED` for zstd where this Node.js has none, `ABORTED`, `IO`
   */
  async describe(path: string, diffId: Digest, signal?: AbortSignal): Promise<LayerFile> {
    const entry = this.find(path)
    const start = await this.#readStart(entry)
    const layer = { compression: compressionOf(start), digest: diffId, size: entry.size }
    if (layer.compression === 'none') return layer
    const measured = await this.measure(path, signal)
    if (measured.diffId === diffId) return { ...layer, digest: measured.digest }
    throw tarFault(
      this.#tar.name,
      `layer ${quote(path)} has diff id ${measured.diffId}, but the config says ${diffId}`,
    )
  }

  /**
   * Reads a layer through, when it is asked for the first time.
   * @throws DrayError as `describe`
   */
  measure(path: string, signal?: AbortSignal): Promise<MeasuredLayer> {
    const entry = this.find(path)
    const known = this.#measured.get(entry)
    if (known !== undefined) return known
    const measured = this.#read(entry, signal)
    this.#measured.set(entry, measured)
    // The next who asks may have a signal that has not fired.
    measured.catch(() => this.#measured.delete(entry))
    return measured
  }

  async #read(entry: TarFileEntry, signal: AbortSignal | undefined): Promise<MeasuredLayer> {
    const [packed, unpacked] = [new DigestCounter(), new DigestCounter()]
    const counted = flow(take =>
      pour(this.#tar.read(entry, { signal }), piece => {
        packed.add(piece)
        return take(piece)
      }),
    )
    const { content } = await decompressed(counted, { name: `${this.#tar.name}: layer ${quote(entry.name)}` })
    await pour(content, piece => {
      unpacked.add(piece)
      return undefined
    })
    return { digest: packed.digest(), diffId: unpacked.digest() }
  }

  async #readStart(entry: TarFileEntry): Promise<Buffer> {
    const start = Buffer.alloc(Math.min(magicBytes, entry.size))
    let length = 0
    await pour(this.#tar.read(entry, { end: start.length - 1 }), piece => {
      start.set(piece, length)
      length += piece.length
      return undefined
    })
    return start
  }
}

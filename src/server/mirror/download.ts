import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { type DrayError, isDrayError } from '../../errors.ts'
import { ifThere, onDisk } from '../../files/io-error.ts'
import { pourFile } from '../../files/pour-file.ts'
import { type Chunks, flow, pour, skip, type Take } from '../../flow.ts'
import type { Layout } from '../../layout/layout.ts'
import type { PartialFile } from '../../layout/partial-file.ts'
import type { Claim, PartialFolder } from '../../layout/partial-folder.ts'
import { checkDigest, checkEnd, checkSize, verified } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, type Digest, DigestCounter, digestOf } from '../../oci/digest.ts'
import { blobName, readBlobFrom } from '../../transfer/read-blob.ts'
import type { SharedBlobs } from '../storage/shared-blobs.ts'
import { createFetched } from './fetched-mark.ts'
import { type FileRange, GrowingFile } from './growing-file.ts'
import type { Upstream } from './upstream.ts'

/** A blob that is no larger is verified before any of it is given out. */
const maxHeldBytes = 1024 * 1024

export interface DownloadOptions {
  readonly descriptor: Descriptor
  readonly upstream: Upstream
  /** Where the blob belongs. */
  readonly layout: Layout
  readonly sharedBlobs: SharedBlobs
  /** Where it is while it is not whole; what an earlier download left there is gone on with. */
  readonly partials: PartialFolder
  readonly signal: AbortSignal
  /** Told when all has come from the upstream. */
  readonly onFetched: () => void
  /** Told why the blob could not be stored; who reads gets it all the same. */
  readonly onUnstored: (error: DrayError) => void
}

/**
 * One blob on its way from an upstream into a layout, read by many while it comes. Its last byte is only given out when
 * its digest is right.
 */
export class Download {
  readonly #options: DownloadOptions
  readonly #counter: DigestCounter
  readonly #name: string
  /** Parts are those of one repository: who may read another must not get what only this one has. */
  readonly #part: Digest
  #opened: (file: GrowingFile | undefined) => void = () => undefined
  /** Undefined when there is no room for it. */
  readonly #file = new Promise<GrowingFile | undefined>(resolve => {
    this.#opened = resolve
  })
  #failure: unknown

  constructor(options: DownloadOptions) {
    this.#options = options
    this.#counter = new DigestCounter(algorithmOf(options.descriptor.digest))
    this.#name = blobName(options.upstream, options.descriptor)
    this.#part = digestOf(`${options.layout.name}@${options.descriptor.digest}`)
  }

  /** In bytes. */
  get size(): number {
    return this.#options.descriptor.size
  }

  /** True when nobody new should wait for it. */
  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** Carries it out, once. @throws what the upstream failed with; `INTEGRITY` for another blob */
  async run(): Promise<void> {
    try {
      const claim = await whileStoring(this.#options.partials.claim(this.#part))
      await this.#fill(claim)
    } catch (error) {
      this.#failure = error
      this.#opened(undefined)
      if (!(error instanceof StorageFault)) throw error
      this.#options.onUnstored(error.fault)
    } finally {
      await this.#options.partials.removeEmpty()
    }
  }

  /** Waits until there is something to read. @throws what the download failed with */
  async ready(): Promise<void> {
    const file = await this.#file
    try {
      if (file !== undefined) await file.reached(0)
      else if (this.#failure !== undefined) throw this.#failure
    } catch (error) {
      if (!(error instanceof StorageFault)) throw error
    }
  }

  /** A part of the blob, as it comes. Where it cannot be stored, the rest comes straight from the upstream. */
  read({ start, end, pieceBytes }: FileRange): Chunks {
    return flow(async take => {
      let position = start
      const takeNext: Take = piece => {
        position += piece.length
        return take(piece)
      }
      try {
        const file = await this.#file
        if (await file?.pour({ start, end, pieceBytes }, takeNext)) return
      } catch (error) {
        if (!(error instanceof StorageFault)) throw error
      }
      if (this.#failure === undefined) {
        const { blobs } = this.#options.layout
        await pour(blobs.read(this.#options.descriptor.digest, { start: position, end, pieceBytes }), take)
      } else if (this.#failure instanceof StorageFault) await this.#passOn({ position, end }, take)
      else throw this.#failure
    })
  }

  async #fill({ part: claimed, earlier }: Claim): Promise<void> {
    await using part = claimed
    const file = new GrowingFile(await whileStoring(openToRead(part.path)), part.path)
    this.#opened(file)
    try {
      await this.#recall(part, file, earlier)
      await this.#fetch(part, file)
      await whileStoring(this.#store(part))
      await file.end()
    } catch (error) {
      try {
        // A part that is wrong, or takes room where there is none, is of no use.
        if (isDrayError(error, 'INTEGRITY') || error instanceof StorageFault) await part.discard()
      } finally {
        this.#failure = error
        await file.end({ error })
      }
      throw error
    }
  }

  /** Takes in what an earlier download left: in this part, or in one that may still have a writer. */
  async #recall(part: PartialFile, file: GrowingFile, earlier: Claim['earlier']): Promise<void> {
    if (earlier === undefined) {
      const { path } = part
      return whileStoring(pourFile(part.file, piece => this.#count(piece, file), { path }))
    }
    const { path } = earlier
    try {
      const take: Take = piece => this.#append(piece, part, file)
      await whileStoring(pourFile(earlier.file, take, { path, end: this.size - 1 }))
      await whileStoring(onDisk(path, rm(path, { force: true })))
    } finally {
      await earlier.file.close()
    }
  }

  async #fetch(part: PartialFile, file: GrowingFile): Promise<void> {
    const { upstream, descriptor, signal } = this.#options
    const start = this.#counter.bytes
    if (start < this.size || this.size === 0) {
      await pour(readBlobFrom(upstream, descriptor, { start, signal }), piece =>
        this.#append(piece, part, file),
      )
    }
    checkEnd(this.#counter.bytes, descriptor, this.#name)
    checkDigest(this.#counter, descriptor, this.#name)
    this.#options.onFetched()
    file.grow(this.size)
  }

  /** What is counted is in the file, so that others can go on behind it when the next write fails. */
  async #append(piece: Uint8Array, part: PartialFile, file: GrowingFile): Promise<void> {
    checkSize(this.#counter.bytes + piece.length, this.#options.descriptor, this.#name)
    await whileStoring(onDisk(part.path, write(part, piece, this.#counter.bytes)))
    this.#count(piece, file)
  }

  #count(piece: Uint8Array, file: GrowingFile): undefined {
    this.#counter.add(piece)
    checkSize(this.#counter.bytes, this.#options.descriptor, this.#name)
    if (this.size > maxHeldBytes) file.grow(Math.min(this.#counter.bytes, this.size - 1))
  }

  async #store({ path, file }: PartialFile): Promise<void> {
    const { layout, sharedBlobs, descriptor, partials } = this.#options
    const { digest, size } = descriptor
    await createFetched(layout)
    const isMoved = await ifThere(sharedBlobs.bring({ path, digest, size }, layout.blobs).then(() => true))
    // Another server on this folder has taken the part's name for a copy of its own.
    if (!isMoved) {
      await layout.blobs.write({ digest, size }, async start =>
        flow(take => pourFile(file, take, { path, start })),
      )
    }
    await partials.clear(this.#part)
  }

  /** What could not be stored is read from the upstream by each for himself, verified with what came before. */
  async #passOn({ position, end }: { position: number; end: number }, take: Take): Promise<void> {
    const { upstream, descriptor, signal } = this.#options
    const isBehind = position < this.#counter.bytes
    const start = isBehind ? 0 : this.#counter.bytes
    const counter = isBehind ? undefined : this.#counter.copy()
    const rest = readBlobFrom(upstream, descriptor, { start, signal })
    const whole = verified(rest, descriptor, this.#name, { counter })
    const enough = new Error('that was all that was asked for')
    let left = end + 1 - position
    try {
      await pour(skip(whole, position - start), async piece => {
        const wanted = piece.subarray(0, left)
        left -= wanted.length
        await take(wanted)
        if (left === 0 && end < this.size - 1) throw enough
      })
    } catch (error) {
      if (error !== enough) throw error
    }
  }
}

/** The disk, and not the upstream, is why a blob could not be stored. */
class StorageFault extends Error {
  readonly fault: DrayError

  constructor(fault: DrayError) {
    super(fault.message, { cause: fault })
    this.fault = fault
  }
}

async function whileStoring<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw isDrayError(error, 'IO', 'NOT_FOUND', 'TIMEOUT') ? new StorageFault(error) : error
  }
}

function openToRead(path: string) {
  return onDisk(path, open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)))
}

async function write({ file }: PartialFile, piece: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    const left = piece.length - written
    const { bytesWritten } = await file.write(piece, written, left, position + written)
    written += bytesWritten
  }
}

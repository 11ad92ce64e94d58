import { isDrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import type { ImageSource } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, DigestCounter } from '../oci/digest.ts'
import type { OnTransferEvent } from '../transfer/events.ts'
import { blobName, type ReadBlobOptions, readBlobFrom } from '../transfer/read-blob.ts'
import { error, type Issue, missing, type Place, type Report } from './finding.ts'
import { issueOf } from './issue-of.ts'

/** A blob as a manifest lists it. */
export interface BlobUse {
  readonly descriptor: Descriptor
  readonly place: Place
  /** Of a layer: the digest of its uncompressed archive, as the config has it. */
  readonly diffId?: Digest | undefined
}

/** All the places of one blob. */
export type BlobUses = readonly [BlobUse, ...BlobUse[]]

export interface PassBlobOptions {
  readonly source: ImageSource
  readonly reading: ReadBlobOptions
  readonly report: Report
  readonly onEvent: OnTransferEvent
}

/**
 * Reads a blob once, from its first byte to its last, and reports where its size and digest are not as listed, or where it
 * is missing. A wrong blob is read a piece beyond the size that it should have, and no further.
 * @param look reads of the content what it wants; called with what the content is called in messages. An `INTEGRITY` that
 * it throws is reported where the content is what was meant
 * @returns what `look` made of it, or undefined where the content is not what was meant
 */
export async function passBlob<Result>(
  uses: BlobUses,
  { source, reading, report, onEvent }: PassBlobOptions,
  look: (content: Chunks, name: string) => Promise<Result>,
): Promise<Result | undefined> {
  const [{ descriptor: first, place }] = uses
  const descriptor = { ...first, size: largestSize(uses) }
  const name = blobName(source, descriptor)
  onEvent({ type: 'blob-started', descriptor })
  const onPiece = (bytes: number) => onEvent({ type: 'blob-progress', descriptor, bytes })
  const blob = new PassingBlob(readBlobFrom(source, descriptor, reading), descriptor, onPiece)
  try {
    const looked = await look(blob.content, name).catch(heldIntegrity)
    await blob.drain()
    reportSizes(uses, blob.bytes, report)
    if (blob.bytes > descriptor.size) return undefined
    const issues = blob.digestIssues()
    report(place, issues)
    if (issues.length > 0) return undefined
    if (looked instanceof Held) throw looked.fault
    return looked
  } catch (fault) {
    if (!isDrayError(fault, 'NOT_FOUND', 'INTEGRITY', 'REGISTRY')) throw fault
    report(place, [fault.code === 'NOT_FOUND' ? missing : issueOf(fault, name)])
    return undefined
  } finally {
    await blob.close()
    // Nothing was brought anywhere.
    onEvent({ type: 'blob-done', descriptor, how: 'present' })
  }
}

/** A fault of the content, which says nothing where the content is another one. */
class Held {
  readonly fault: unknown

  constructor(fault: unknown) {
    this.fault = fault
  }
}

function heldIntegrity(fault: unknown): Held {
  if (isDrayError(fault, 'INTEGRITY')) return new Held(fault)
  throw fault
}

/** Reports each place that has another size for a blob than it has. */
export function reportSizes(uses: BlobUses, bytes: number, report: Report): void {
  const most = largestSize(uses)
  for (const { descriptor, place } of uses) {
    if (descriptor.size === bytes) continue
    const real = bytes > most ? `more than ${descriptor.size}` : `${bytes}`
    report(place, [error(`has ${real} bytes, its descriptor says ${descriptor.size}`)])
  }
}

function largestSize(uses: BlobUses): number {
  return uses.reduce((most, { descriptor }) => Math.max(most, descriptor.size), 0)
}

/** A blob that is counted and hashed as it passes. Its reader may leave early; that does not end it. */
class PassingBlob {
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #descriptor: Descriptor
  readonly #counter: DigestCounter
  readonly #onPiece: (bytes: number) => void

  constructor(chunks: Chunks, descriptor: Descriptor, onPiece: (bytes: number) => void) {
    this.#iterator = chunks[Symbol.asyncIterator]()
    this.#descriptor = descriptor
    this.#counter = new DigestCounter(algorithmOf(descriptor.digest))
    this.#onPiece = onPiece
  }

  get bytes(): number {
    return this.#counter.bytes
  }

  get content(): Chunks {
    return { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) }
  }

  async drain(): Promise<void> {
    while ((await this.#next()).done !== true);
  }

  async close(): Promise<void> {
    await this.#iterator.return?.()
  }

  digestIssues(): readonly Issue[] {
    const digest = this.#counter.digest()
    return digest === this.#descriptor.digest ? [] : [error(`the content has digest ${digest}`)]
  }

  async #next(): Promise<IteratorResult<Uint8Array, unknown>> {
    if (this.bytes > this.#descriptor.size) return { done: true, value: undefined }
    const next = await this.#iterator.next()
    if (next.done !== true) {
      this.#counter.add(next.value)
      this.#onPiece(next.value.length)
    }
    return next
  }
}

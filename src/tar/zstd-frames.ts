import type { Chunks } from '../flow.ts'
import { tarFault } from './tar-limits.ts'

/**
 * The same bytes, in pieces of which none goes over the end of a zstd frame (RFC 8878, section 3). Node.js before 26
 * ends with the frame that a piece ends in, and 22 does not tell when a frame is cut off; so frames are counted here.
 * @throws DrayError `INTEGRITY` where a frame is cut off or something else is behind one
 */
export async function* zstdFrames(chunks: Chunks, name: string): AsyncGenerator<Uint8Array> {
  const frames = new FrameCounter(name)
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; ) {
      const length = frames.upToFrameEnd(chunk.subarray(start))
      yield chunk.subarray(start, start + length)
      start += length
    }
  }
  frames.end()
}

/** Bytes of a frame that its parser wants to see, or does not. */
type Step = { readonly see: number } | { readonly skip: number }

class FrameCounter {
  readonly #name: string
  #steps: Generator<Step, void, Buffer> | undefined
  #seen = Buffer.alloc(0)
  /** How many bytes of the current step are still to come. */
  #missing = 0
  #isSkipping = false

  constructor(name: string) {
    this.#name = name
  }

  /** How many of these bytes belong to the frame that they begin or go on with. */
  upToFrameEnd(bytes: Uint8Array): number {
    if (this.#steps === undefined) {
      this.#steps = frameSteps(this.#name)
      this.#next()
    }
    let at = 0
    while (this.#steps !== undefined && at < bytes.length) {
      const part = bytes.subarray(at, at + this.#missing)
      if (!this.#isSkipping) this.#seen = Buffer.concat([this.#seen, part])
      at += part.length
      this.#missing -= part.length
      while (this.#steps !== undefined && this.#missing === 0) this.#next()
    }
    return at
  }

  end(): void {
    if (this.#steps !== undefined) throw tarFault(this.#name, 'the zstd data is cut off')
  }

  #next(): void {
    const step = this.#steps?.next(this.#seen)
    this.#seen = Buffer.alloc(0)
    if (step === undefined || step.done) {
      this.#steps = undefined
      return
    }
    this.#isSkipping = 'skip' in step.value
    this.#missing = 'skip' in step.value ? step.value.skip : step.value.see
  }
}

const frameMagic = 0xfd2fb528
const rleBlock = 1

function* frameSteps(name: string): Generator<Step, void, Buffer> {
  const magic = (yield { see: 4 }).readUInt32LE()
  if (isSkippable(magic)) {
    yield { skip: (yield { see: 4 }).readUInt32LE() }
    return
  }
  if (magic !== frameMagic) throw tarFault(name, 'something else is behind the zstd data')
  const descriptor = (yield { see: 1 }).readUInt8()
  yield { skip: headerRest(descriptor) }
  for (let isLast = false; !isLast; ) {
    const block = (yield { see: 3 }).readUIntLE(0, 3)
    isLast = (block & 1) === 1
    yield { skip: ((block >> 1) & 3) === rleBlock ? 1 : block >> 3 }
  }
  const hasChecksum = (descriptor & 4) !== 0
  yield { skip: hasChecksum ? 4 : 0 }
}

/** True for the first 4 bytes of a frame that holds no content (RFC 8878, section 3.1.2). */
export function isSkippable(magic: number): boolean {
  return magic >>> 4 === 0x184d2a5
}

/** How many bytes of a frame's header come after its descriptor (RFC 8878, section 3.1.1.1). */
function headerRest(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0
  return (isSingleSegment ? 0 : 1) + dictionary + contentSize
}

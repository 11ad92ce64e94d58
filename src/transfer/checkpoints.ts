import { type Flow, skip } from '../flow.ts'
import { verified } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, DigestCounter } from '../oci/digest.ts'

/** How far apart the states of the digest lie that are kept, in bytes; one costs a few hundred bytes of memory. */
const defaultStepBytes = 4 * 1024 * 1024

export interface CheckpointOptions {
  /** 4 MiB unless told. */
  readonly stepBytes?: number | undefined
}

/**
 * One blob's digest over several readings of it. A reading may begin anywhere that another has reached: what lies between
 * the last kept state and there is read and counted again, but not given out.
 */
export class Checkpoints {
  readonly #descriptor: Descriptor
  readonly #name: string
  readonly #stepBytes: number
  #kept: DigestCounter[]

  /** @param name what the blob is called in messages */
  constructor(descriptor: Descriptor, name: string, options: CheckpointOptions = {}) {
    this.#descriptor = descriptor
    this.#name = name
    this.#stepBytes = options.stepBytes ?? defaultStepBytes
    this.#kept = [new DigestCounter(algorithmOf(descriptor.digest))]
  }

  /**
   * The content from `start` on, verified with all that lies before.
   * @param readFrom the content from a byte on, which is `start` or lies before it
   * @throws DrayError `INTEGRITY`
   */
  verified(start: number, readFrom: (start: number) => Flow): Flow {
    // What lies behind is read anew, and what it was before counts no more.
    this.#kept = this.#kept.filter(({ bytes }) => bytes <= start)
    const counter = this.#kept.at(-1)?.copy() ?? new DigestCounter(algorithmOf(this.#descriptor.digest))
    const begin = counter.bytes
    const content = verified(readFrom(begin), this.#descriptor, this.#name, {
      counter,
      onCounted: () => this.#keep(counter),
    })
    return skip(content, start - begin)
  }

  #keep(counter: DigestCounter): void {
    const reached = this.#kept.at(-1)?.bytes ?? 0
    if (counter.bytes >= reached + this.#stepBytes) this.#kept.push(counter.copy())
  }
}

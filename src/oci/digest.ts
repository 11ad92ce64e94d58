import type { Hash } from 'node:crypto'
import { DrayError, quote } from '../errors.ts'

/** `sha256:<64 hex>` or `sha512:<128 hex>`, checked (image-spec v1.1, descriptor.md#digests). */
export type Digest = string & { readonly __digest: unique symbol }

/** The algorithms that image-spec v1.1 registers (descriptor.md#registered-algorithms). */
export type DigestAlgorithm = 'sha256' | 'sha512'

const hexLength: Record<DigestAlgorithm, number> = { sha256: 64, sha512: 128 }

/** True for a digest of a registered algorithm with lower-case hex of the right length. */
export function isDigest(text: string): text is Digest {
  return digestFault(text) === undefined
}

/** @throws DrayError `INVALID_REFERENCE` that says which part is wrong */
export function parseDigest(text: string): Digest {
  const fault = digestFault(text)
  if (fault !== undefined) throw new DrayError('INVALID_REFERENCE', `invalid digest ${quote(text)}: ${fault}`)
  return text as Digest
}

/** What is wrong with a digest's text, or undefined. */
export function digestFault(text: string): string | undefined {
  const colon = text.indexOf(':')
  if (colon < 0) return 'it must look like sha256:<64 hex digits>'
  const algorithm = text.slice(0, colon)
  if (!isAlgorithm(algorithm))
    return `the algorithm ${quote(algorithm)} is not supported (sha256 and sha512 are)`
  const hex = text.slice(colon + 1)
  const wanted = hexLength[algorithm]
  if (!/^[0-9a-f]*$/.test(hex)) return `after "${algorithm}:" come ${wanted} lower-case hex digits`
  if (hex.length !== wanted) return `${algorithm} has ${wanted} hex digits, not ${hex.length}`
  return undefined
}

/** What comes before a digest's colon. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

/** What comes after a digest's colon: 64 or 128 lower-case hex digits. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** The digest of bytes at hand. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest
}

/** A running digest: counts and hashes bytes as they pass. */
export class DigestCounter {
  /** None before the first byte, since to make one takes longer than to hash what is small. */
  #hash: Hash | undefined
  readonly #algorithm: DigestAlgorithm
  #bytes = 0

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.#algorithm = algorithm
  }

  /** Another counter that goes on from here. */
  copy(): DigestCounter {
    const copy = new DigestCounter(this.#algorithm)
    copy.#hash = this.#hash?.copy()
    copy.#bytes = this.#bytes
    return copy
  }

  /** How many bytes were added so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes in the next bytes. */
  add(chunk: Uint8Array): void {
    this.#hash ??= createHash(this.#algorithm)
    this.#hash.update(chunk)
    this.#bytes += chunk.length
  }

  /** The digest of all that was added so far; more may be added afterwards. */
  digest(): Digest {
    const hash = this.#hash?.copy() ?? createHash(this.#algorithm)
    return `${this.#algorithm}:${hash.digest('hex')}` as Digest
  }
}

/** Loaded when the first byte is hashed: to start without it is a tenth of what a short command takes. */
function createHash(algorithm: DigestAlgorithm): Hash {
  return process.getBuiltinModule('node:crypto').createHash(algorithm)
}

function isAlgorithm(text: string): text is DigestAlgorithm {
  return text === 'sha256' || text === 'sha512'
}

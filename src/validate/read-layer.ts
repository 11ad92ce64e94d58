import { isDrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import { type Digest, type DigestAlgorithm, DigestCounter } from '../oci/digest.ts'
import type { Compression } from '../tar/compression.ts'
import { decompressed } from '../tar/decompress.ts'
import { readTar } from '../tar/read-tar.ts'
import { entryIssues } from './check-entry.ts'
import { type Issue, warning } from './finding.ts'
import { issueOf } from './issue-of.ts'

export interface ReadLayerOptions {
  /** What the layer is called in messages. */
  readonly name: string
  /** In which algorithms its diff id is wanted. */
  readonly algorithms: readonly DigestAlgorithm[]
  /** How many bytes may come out of its compression. */
  readonly maxBytes: number | undefined
}

/** What a layer turned out to be. */
export interface LayerFacts {
  /** Undefined where it could not be read that far. */
  readonly compression: Compression | undefined
  /** The digests of the uncompressed archive; none where it could not be read to its end. */
  readonly diffIds: readonly Digest[]
  readonly issues: readonly Issue[]
}

/**
 * Reads a layer once, from its first byte to its last, and holds nothing of it: decompression, the diff id and every entry
 * of the archive.
 * @throws what the chunks throw, but no `INTEGRITY`, which becomes an issue
 */
export async function readLayer(chunks: Chunks, options: ReadLayerOptions): Promise<LayerFacts> {
  const { name, maxBytes, algorithms } = options
  const issues = new EntryIssues()
  const oddities: Issue[] = []
  const counters = algorithms.map(algorithm => new DigestCounter(algorithm))
  let compression: Compression | undefined
  try {
    const layer = await decompressed(chunks, { name, maxBytes })
    compression = layer.compression
    const onOddity = (text: string) => oddities.push(warning(text))
    for await (const item of readTar(hashed(layer.content, counters), { name, onOddity })) {
      issues.add(entryIssues(item))
    }
  } catch (error) {
    if (!isDrayError(error, 'INTEGRITY', 'UNSUPPORTED')) throw error
    return { compression, diffIds: [], issues: [...issues.all(), ...oddities, issueOf(error, name)] }
  }
  const diffIds = counters.map(counter => counter.digest())
  return { compression, diffIds, issues: [...issues.all(), ...oddities] }
}

/** The first issues of the entries, and how many more there are: an archive can have as many bad ones as it likes. */
class EntryIssues {
  readonly #first: Issue[] = []
  readonly #left = { error: 0, warning: 0 }

  add(issues: readonly Issue[]): void {
    for (const issue of issues) {
      if (this.#first.length < 20) this.#first.push(issue)
      else this.#left[issue.severity] += 1
    }
  }

  all(): readonly Issue[] {
    const left = (['error', 'warning'] as const).filter(severity => this.#left[severity] > 0)
    return [
      ...this.#first,
      ...left.map(severity => ({ severity, what: `${this.#left[severity]} more like these` })),
    ]
  }
}

async function* hashed(chunks: Chunks, counters: readonly DigestCounter[]): AsyncGenerator<Uint8Array> {
  for await (const piece of chunks) {
    for (const counter of counters) counter.add(piece)
    yield piece
  }
}

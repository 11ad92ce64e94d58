/** Bytes on their way, in pieces of any length. */
export type Chunks = AsyncIterable<Uint8Array>

/**
 * Takes the next piece of some content. Where it answers with a promise, the piece after that comes when the promise is
 * kept; when it throws or rejects, the content ends. The piece's memory may be used again as soon as it is taken.
 */
export type Take = (piece: Uint8Array) => undefined | Promise<unknown>

/** Content that hands its pieces over by itself, which costs less than an iteration and needs no new memory for each. */
export interface Flow extends Chunks {
  /** Hands over every piece and settles when the content has ended. Content flows once. */
  pour(take: Take): Promise<void>
}

/** Hands every piece of some content over to `take`, by the cheaper way where there is one. */
export async function pour(chunks: Chunks, take: Take): Promise<void> {
  if (isFlow(chunks)) return chunks.pour(take)
  for await (const piece of chunks) {
    const taken = take(piece)
    if (taken !== undefined) await taken
  }
}

/** Content without a byte. */
export async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Makes content of a function that hands it over; an iteration over it gets pieces of its own that last. */
export function flow(pourOut: (take: Take) => Promise<void>): Flow {
  return { pour: pourOut, [Symbol.asyncIterator]: () => iterate(pourOut) }
}

/** The same content; `onFault` is told what it fails with by itself, and not what its taker throws into it. */
export function watched(chunks: Chunks, onFault: (error: unknown) => void): Flow {
  return flow(async take => {
    let isRefused = false
    const refuse = (error: unknown): never => {
      isRefused = true
      throw error
    }
    try {
      await pour(chunks, piece => {
        try {
          return take(piece)?.catch(refuse)
        } catch (error) {
          return refuse(error)
        }
      })
    } catch (error) {
      if (!isRefused) onFault(error)
      throw error
    }
  })
}

/** Content without its first bytes. */
export function skip(chunks: Chunks, bytes: number): Flow {
  return flow(async take => {
    let left = bytes
    await pour(chunks, piece => {
      const skipped = Math.min(left, piece.length)
      left -= skipped
      return skipped === piece.length ? undefined : take(piece.subarray(skipped))
    })
  })
}

function isFlow(chunks: Chunks): chunks is Flow {
  return 'pour' in chunks
}

async function* iterate(pourOut: (take: Take) => Promise<void>): AsyncGenerator<Uint8Array> {
  const exchange = new Exchange()
  const poured = pourOut(piece => exchange.give(piece)).then(
    () => exchange.end(),
    error => exchange.end({ error }),
  )
  try {
    for (;;) {
      const piece = await exchange.next()
      if (piece === undefined) return
      yield piece
    }
  } finally {
    exchange.leave()
    await poured
  }
}

/** One piece at a time on its way from content that flows to a reader that asks. */
class Exchange {
  #piece: Uint8Array | undefined
  #ended: { readonly error?: unknown } | undefined
  #taken: { readonly keep: () => void; readonly refuse: (reason: Error) => void } | undefined
  #wake: (() => void) | undefined

  /** Kept when the reader asks for the piece after this one. */
  give(piece: Uint8Array): Promise<void> {
    this.#piece = Buffer.from(piece)
    return new Promise((keep, refuse) => {
      this.#taken = { keep, refuse }
      this.#wake?.()
    })
  }

  end(how: { readonly error?: unknown } = {}): void {
    this.#ended = how
    this.#wake?.()
  }

  async next(): Promise<Uint8Array | undefined> {
    if (this.#piece === undefined) {
      this.#taken?.keep()
      this.#taken = undefined
    }
    if (this.#piece === undefined && this.#ended === undefined) {
      await new Promise<void>(wake => {
        this.#wake = wake
      })
    }
    const piece = this.#piece
    this.#piece = undefined
    if (piece === undefined && this.#ended !== undefined && 'error' in this.#ended) throw this.#ended.error
    return piece
  }

  /** Ends the content at the piece that was given out last. */
  leave(): void {
    this.#taken?.refuse(new Error('the reader has left'))
  }
}

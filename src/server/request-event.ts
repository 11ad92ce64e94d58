/** A request that was answered or given up. */
export interface RequestEvent {
  /** What the answer names it by, where it failed on our side. */
  readonly id: string
  readonly method: string
  /** As the client sent it, without the query. */
  readonly path: string
  /** 499 where the client left before it was answered. */
  readonly status: number
  /** From the request's headers to the end of the answer, in milliseconds. */
  readonly ms: number
  /** The bytes of the request's body. */
  readonly received: number
  /** The bytes of the answer's body. */
  readonly sent: number
  /** Who logged in. */
  readonly user: string | undefined
  /** Of the client, where it is a trusted proxy that sends the request on. */
  readonly remoteAddress: string | undefined
  /** As the client sent it. */
  readonly userAgent: string | undefined
  /** What went wrong on our side, for a log: the client was told nothing of it. */
  readonly error?: unknown
}

/** What a server allows its clients, so that no few of them keep it from all others. */
export interface ServerLimits {
  /** Connections at a time; more are closed as they come. 4096 by default. */
  readonly connections?: number | undefined
  /** How long a request's headers, or a TLS handshake, may take, in milliseconds; 30 seconds by default. */
  readonly headersMs?: number | undefined
  /** A connection on which nothing moves for so long during a request is cut, in milliseconds; 2 minutes by default. */
  readonly idleMs?: number | undefined
  /** A connection that waits longer for its next request is closed, in milliseconds; 1 minute by default. */
  readonly keepAliveMs?: number | undefined
  /** A client that is slower, over each `idleMs`, is cut; 500 by default, 0 for any. Bodies may take any time otherwise. */
  readonly bytesPerSecond?: number | undefined
}

/** Limits with nothing left out. */
export type AllLimits = { readonly [Key in keyof ServerLimits]-?: number }

/** What holds where nothing else is said. */
export function withDefaults(limits: ServerLimits = {}): AllLimits {
  return {
    connections: limits.connections ?? 4096,
    headersMs: limits.headersMs ?? 30_000,
    idleMs: limits.idleMs ?? 120_000,
    keepAliveMs: limits.keepAliveMs ?? 60_000,
    bytesPerSecond: limits.bytesPerSecond ?? 500,
  }
}

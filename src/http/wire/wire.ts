import { DrayError } from '../../errors.ts'
import type { Connect } from '../connector.ts'
import { type HttpResponse, isStreamBody } from '../message.ts'
import { aborted, NetworkError } from '../network-error.ts'
import { type Connection, openConnection } from './connection.ts'
import { Exchange } from './exchange.ts'
import type { OutgoingRequest } from './request-head.ts'

export interface WireOptions {
  readonly connect: Connect
  /** Bounds the wait for an answer and each wait for a body to go on, in milliseconds. */
  readonly timeoutMs: number
  /** Bounds the wait for the answer to an upload, in milliseconds. */
  readonly uploadTimeoutMs: number
  /** Ends every request that has no signal of its own. */
  readonly signal?: AbortSignal | undefined
}

/** A Send for bodies of any size. */
export interface Wire {
  send(request: OutgoingRequest): Promise<HttpResponse>
  /** Closes every connection; what is still under way ends with `ABORTED`. */
  close(): void
}

/** Some servers close what has been idle for five seconds. */
const maxIdleMs = 4_000

/**
 * HTTP/1.1 for what is large (RFC 9112): bodies go from socket to taker, and from source to socket, in memory that is
 * used again, with no stream and no promise for each piece. Connections are kept and used again.
 */
export function createWire(options: WireOptions): Wire {
  const idle = new IdleConnections()
  const underWay = new Set<Exchange>()
  let isClosed = false
  return {
    send: async request => {
      const signal = request.signal ?? options.signal
      if (signal?.aborted) throw aborted(signal)
      if (isClosed) throw closed()
      // tinyproxy closes connections without a word, and a stream cannot be sent again from here.
      const isSafe = request.target === undefined || !isStreamBody(request.body)
      const kept = isSafe ? idle.take(request.url.origin) : undefined
      if (kept === undefined)
        return exchange(
          await openConnection(options.connect, { url: request.url, signal }),
          request,
          signal,
        ).run()
      const first = exchange(kept, request, signal)
      try {
        return await first.run()
      } catch (error) {
        // RFC 9112, section 9.3.1: the other side may have closed it while nobody used it.
        const isStale = error instanceof NetworkError && error.fault === 'broken' && !first.hasBegun
        if (!isStale || request.method !== 'GET') throw error
        return exchange(
          await openConnection(options.connect, { url: request.url, signal }),
          request,
          signal,
        ).run()
      }
    },
    close: () => {
      isClosed = true
      idle.close()
      for (const each of underWay) each.failed(closed())
    },
  }

  function exchange(connection: Connection, request: OutgoingRequest, signal: AbortSignal | undefined) {
    const started: Exchange = new Exchange(connection, request, {
      answerTimeoutMs: isStreamBody(request.body) ? options.uploadTimeoutMs : options.timeoutMs,
      bodyTimeoutMs: options.timeoutMs,
      signal,
      onEnd: freed => {
        underWay.delete(started)
        if (freed !== undefined) idle.keep(request.url.origin, freed)
      },
    })
    underWay.add(started)
    if (isClosed) started.failed(closed())
    return started
  }
}

function closed(): DrayError {
  return new DrayError('ABORTED', 'the connection was closed before the answer was read')
}

/** Connections that wait for another request, by origin. */
class IdleConnections {
  readonly #idle = new Map<string, { readonly connection: Connection; readonly timer: NodeJS.Timeout }[]>()
  #isClosed = false

  /** The one that was used last, if there is one that still works. */
  take(origin: string): Connection | undefined {
    for (;;) {
      const kept = this.#idle.get(origin)?.pop()
      if (kept === undefined) {
        this.#idle.delete(origin)
        return undefined
      }
      clearTimeout(kept.timer)
      if (kept.connection.isUsable) return kept.connection
      kept.connection.destroy()
    }
  }

  keep(origin: string, connection: Connection): void {
    if (this.#isClosed || !connection.isUsable) {
      connection.destroy()
      return
    }
    const kept = this.#idle.get(origin) ?? []
    const timer = setTimeout(() => this.#drop(origin, connection), maxIdleMs).unref()
    kept.push({ connection, timer })
    this.#idle.set(origin, kept)
  }

  close(): void {
    this.#isClosed = true
    for (const { connection, timer } of [...this.#idle.values()].flat()) {
      clearTimeout(timer)
      connection.destroy()
    }
    this.#idle.clear()
  }

  #drop(origin: string, connection: Connection): void {
    const rest = (this.#idle.get(origin) ?? []).filter(kept => kept.connection !== connection)
    if (rest.length === 0) this.#idle.delete(origin)
    else this.#idle.set(origin, rest)
    connection.destroy()
  }
}

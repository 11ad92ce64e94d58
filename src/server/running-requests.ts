import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** How long at most a client may go on sending a body that was refused, before it is cut, in milliseconds. */
const lingerMs = 10_000

interface Running {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What had gone over the connection when it was looked at last; at first it was not. */
  bytes: number | undefined
}

export interface RunningRequestsOptions {
  /** How often the speed of clients is looked at, in milliseconds. */
  readonly periodMs: number
  /** How much must have moved since, in bytes, where it is the client that we wait for. */
  readonly leastBytes: number
}

/** The requests under way. Cuts those whose client takes a byte now and then, only to hold on to its connection. */
export class RunningRequests {
  readonly #running = new Set<Running>()
  readonly #options: RunningRequestsOptions
  #timer: NodeJS.Timeout | undefined

  constructor(options: RunningRequestsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#running.size
  }

  /** The connections that they came by. */
  get sockets(): ReadonlySet<Socket> {
    return new Set(Array.from(this.#running, ({ request }) => request.socket))
  }

  add(request: IncomingMessage, response: ServerResponse): void {
    const running = { request, response, bytes: undefined }
    this.#running.add(running)
    response.once('close', () => this.#running.delete(running))
    response.once('finish', () => cutLater(request, Math.min(lingerMs, this.#options.periodMs)))
  }

  start(): void {
    this.#timer = setInterval(() => this.#cutSlow(), this.#options.periodMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #cutSlow(): void {
    for (const running of this.#running) {
      const { request, response } = running
      const bytes = bytesOf(request.socket)
      const isSlow = running.bytes !== undefined && bytes - running.bytes < this.#options.leastBytes
      running.bytes = bytes
      if (isSlow && waitsForClient(request, response)) request.socket.destroy()
    }
  }
}

function bytesOf({ bytesRead, bytesWritten }: Socket): number {
  return bytesRead + bytesWritten
}

/** It does not when the disk has yet to take what came, or to give what is asked for. */
function waitsForClient(request: IncomingMessage, response: ServerResponse): boolean {
  const isSending = !request.complete && request.readableLength === 0
  return isSending || response.writableLength > 0
}

/** The rest of a body that nobody wants is read, since to close at once could lose the answer; but not for ever. */
function cutLater(request: IncomingMessage, delayMs: number): void {
  if (request.complete) return
  // Node does so by itself only where nobody has read any of it.
  request.resume()
  const { socket } = request
  const timer = setTimeout(() => socket.destroy(), delayMs)
  const forget = () => {
    clearTimeout(timer)
    request.off('end', forget)
    // Other requests come by the same connection.
    socket.off('close', forget)
  }
  request.once('end', forget)
  socket.once('close', forget)
}

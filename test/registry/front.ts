import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { createTransport, type TransportOptions } from '../../src/http/send.ts'
import type { RegistryEvent } from '../../src/registry/context.ts'
import { Registry, type RegistryOptions } from '../../src/registry/registry.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { startLoopback } from '../support/loopback.ts'

/** A request as a scripted registry saw it. */
export interface Seen {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly message: IncomingMessage
  /** Reads the whole body. */
  body(): Promise<Buffer>
}

/** Answers one request. */
export type Handler = (seen: Seen, response: ServerResponse) => unknown

export interface FrontOptions extends Partial<RegistryOptions> {
  readonly transport?: TransportOptions | undefined
}

/** A registry that a test plays over a real connection, and our client for it, whose waits take no time. */
export interface Front extends AsyncDisposable {
  readonly host: string
  readonly url: string
  readonly seen: readonly Seen[]
  /** `GET /v2/app/…` of each request. */
  readonly lines: readonly string[]
  readonly registry: Registry
  /** `app`, to pull and push. */
  readonly repository: Repository
  readonly clock: FakeClock
  readonly events: readonly RegistryEvent[]
}

/** Starts one: `await using front = await startFront((seen, response) => …)`. */
export async function startFront(handler: Handler, options: FrontOptions = {}): Promise<Front> {
  const seen: Seen[] = []
  const events: RegistryEvent[] = []
  const server = await startLoopback((message, response) => {
    const { method = '', url: path = '', headers } = message
    const request = { method, path, headers, message, body: () => buffer(message) }
    seen.push(request)
    // The other side may go away at any time, which is what some tests are about.
    response.on('error', () => response.destroy())
    Promise.resolve(handler(request, response)).catch(() => response.destroy())
  })
  const { transport: transportOptions, ...registryOptions } = options
  const transport = createTransport(transportOptions)
  const clock = fakeClock()
  const registry = new Registry({
    registry: server.host,
    send: transport.send,
    clock,
    onEvent: event => events.push(event),
    ...registryOptions,
  })
  return {
    host: server.host,
    url: server.url,
    seen,
    get lines() {
      return seen.map(({ method, path }) => `${method} ${path}`)
    },
    registry,
    repository: registry.repository('app', 'pull,push'),
    clock,
    events,
    async [Symbol.asyncDispose]() {
      await transport.close()
      await server.stop()
    },
  }
}

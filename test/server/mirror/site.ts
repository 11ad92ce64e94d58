import { once } from 'node:events'
import { Agent, type IncomingMessage, type RequestListener, request, type ServerResponse } from 'node:http'
import { createTransport } from '../../../src/http/send.ts'
import { Registry, type RegistryOptions } from '../../../src/registry/registry.ts'
import type { MirroredRegistry } from '../../../src/server/server.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { type LoopbackServer, startLoopback } from '../../support/loopback.ts'

/** An upstream with a hand in front of it, which can be told to answer in its place. */
export interface UpstreamSite extends AsyncDisposable {
  readonly registry: EmbeddedRegistry
  /** `127.0.0.1:PORT` of the hand. */
  readonly host: string
  /** `GET /v2/…` of each request so far. */
  readonly lines: string[]
  /** What answers in place of the registry; where it returns false, the registry does. */
  answer: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Ends all connections, and takes no more. */
  stop(): Promise<void>
}

/** Starts one. */
export async function startUpstream(
  options: Parameters<typeof startEmbeddedRegistry>[0] = {},
): Promise<UpstreamSite> {
  const registry = await startEmbeddedRegistry(options)
  const lines: string[] = []
  const agent = new Agent({ keepAlive: true })
  const listener: RequestListener = (incoming, response) => {
    lines.push(`${incoming.method} ${incoming.url}`)
    if (!site.answer(incoming, response)) passOn(incoming, response, { port: registry.server.port, agent })
  }
  const front: LoopbackServer = await startLoopback(listener)
  const site: UpstreamSite = {
    registry,
    host: front.host,
    lines,
    answer: () => false,
    stop: front.stop,
    async [Symbol.asyncDispose]() {
      agent.destroy()
      await front.stop()
      await registry[Symbol.asyncDispose]()
    },
  }
  return site
}

function passOn(
  incoming: IncomingMessage,
  response: ServerResponse,
  to: { port: number; agent: Agent },
): void {
  const { method = 'GET', url = '/', headers } = incoming
  const outgoing = request({ host: '127.0.0.1', port: to.port, method, path: url, headers, agent: to.agent })
  outgoing.on('error', () => response.destroy())
  outgoing.on('response', answer => {
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(response)
  })
  incoming.pipe(outgoing)
}

/** A mirror of a site, met by the typed client with few retries and no long waits. */
export function mirrorOf(
  { host }: { readonly host: string },
  options: Partial<RegistryOptions> & Partial<MirroredRegistry> = {},
): MirroredRegistry {
  const { name = 'docker.io', freshMs, patienceMs, ...others } = options
  const transport = createTransport()
  const retryPolicy = { retries: 1, baseMs: 1, maxMs: 1, maxRetryAfterMs: 1 }
  const registry = new Registry({ registry: host, send: transport.send, retryPolicy, ...others })
  return { name, freshMs, patienceMs, open: path => registry.repository(path) }
}

/** Reads an answer's body piece by piece. */
export async function openBlob(
  { server }: EmbeddedRegistry,
  path: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const outgoing = request({ host: '127.0.0.1', port: server.port, path, headers, agent: false }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  return incoming
}

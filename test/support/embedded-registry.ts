import { once } from 'node:events'
import {
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
} from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import {
  type RegistryServer,
  type RequestEvent,
  type ServerOptions,
  startServer,
} from '../../src/server/server.ts'
import type { SampleBlob, SampleImage } from './sample-image.ts'
import { makeTempDir } from './temp-dir.ts'

/** An answer with its whole body. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The codes of the body's `errors`. */
  readonly codes: readonly string[]
  json(): unknown
}

export interface AskOptions {
  readonly headers?: OutgoingHttpHeaders | undefined
  readonly body?: string | Uint8Array | undefined
}

/** The embedded registry on a free port, over a folder of its own. */
export interface EmbeddedRegistry extends AsyncDisposable {
  readonly server: RegistryServer
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly dir: string
  /** Resolves with the first request that fits, now or later. */
  ended(fits: (event: RequestEvent) => boolean): Promise<RequestEvent>
  /** Sends a request with its path as it is, neither encoded nor normalised. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>
  putBlob(repository: string, blob: SampleBlob): Promise<void>
  /** Puts an image's blobs and its manifest under a tag or its digest. */
  putImage(repository: string, image: SampleImage, reference: string): Promise<Answer>
}

/** Starts one; `await using registry = await startEmbeddedRegistry()`. */
export async function startEmbeddedRegistry(options: Partial<ServerOptions> = {}): Promise<EmbeddedRegistry> {
  const folder = await makeTempDir()
  const dir = join(folder.path, 'registry')
  const events: RequestEvent[] = []
  const seen = new EventTarget()
  const onRequest = (event: RequestEvent) => {
    events.push(event)
    seen.dispatchEvent(new Event('request'))
  }
  const server = await startServer({ dir, host: '127.0.0.1', port: 0, graceMs: 200, onRequest, ...options })
  // Kept alive, so that a refusal reaches a client that is still sending.
  const agent = new Agent({ keepAlive: true })
  const ask: EmbeddedRegistry['ask'] = (method, path, how = {}) =>
    askServer(server, { method, path, agent, ...how })
  const putBlob = async (repository: string, blob: SampleBlob) => {
    const path = `/v2/${repository}/blobs/uploads/?digest=${blob.descriptor.digest}`
    expectStatus(201, await ask('POST', path, { body: blob.bytes }))
  }
  return {
    server,
    host: `127.0.0.1:${server.port}`,
    dir,
    ask,
    putBlob,
    async ended(fits) {
      while (true) {
        const event = events.find(fits)
        if (event !== undefined) return event
        await once(seen, 'request')
      }
    },
    async putImage(repository, { config, layer, manifest }, reference) {
      for (const blob of [config, layer]) await putBlob(repository, blob)
      const headers = { 'Content-Type': manifest.mediaType }
      const body = manifest.bytes
      return ask('PUT', `/v2/${repository}/manifests/${reference}`, { headers, body })
    },
    async [Symbol.asyncDispose]() {
      agent.destroy()
      await server.close()
      await folder.remove()
    },
  }
}

interface Asked extends AskOptions {
  readonly method: string
  readonly path: string
  readonly agent: Agent
}

async function askServer({ host, port }: RegistryServer, asked: Asked): Promise<Answer> {
  const { method, path, agent, headers = {}, body } = asked
  const isChunked = 'Transfer-Encoding' in headers
  const length = body === undefined || isChunked ? {} : { 'Content-Length': Buffer.byteLength(body) }
  const outgoing = request({ host, port, method, path, headers: { ...length, ...headers }, agent })
  outgoing.end(body)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  const bytes = await buffer(incoming)
  const json = () => JSON.parse(bytes.toString('utf8'))
  const isError = (incoming.statusCode ?? 0) >= 400 && bytes.length > 0
  const codes = isError ? json().errors.map(({ code }: { code: string }) => code) : []
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: bytes, codes, json }
}

function expectStatus(status: number, answer: Answer): void {
  if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${answer.body}`)
}

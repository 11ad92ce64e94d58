import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import tar from 'tar-stream'
import { makeTempDir } from './temp-dir.ts'

/** A question that an engine was asked: `GET /v1.41/images/hello:1.0/json`. */
export interface EngineQuestion {
  readonly line: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Answers one question; false leaves it to the engine's own answer. */
export type EngineScript = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>

export interface DockerEngineOptions {
  /** What `Api-Version` says; 1.41 if not given, and the header is missing for an empty text. */
  readonly apiVersion?: string
  /** Asked first. */
  readonly script?: EngineScript
  /** Listens on 127.0.0.1 with this certificate instead of on a socket. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string }
  /** Listens on 127.0.0.1 without TLS. */
  readonly tcp?: boolean
}

/** An engine that answers as docker 20.10 does, and keeps the archives that it gets. */
export interface DockerEngine extends AsyncDisposable {
  /** As DOCKER_HOST says it. */
  readonly host: string
  readonly questions: readonly EngineQuestion[]
  /** The archives by the names of their images, which the test may fill. */
  readonly archives: Map<string, Buffer>
  /** What is told of an image beside its ID. */
  readonly told: Map<string, object>
}

/** Starts a scripted engine in this process. */
export async function startDockerEngine(options: DockerEngineOptions = {}): Promise<DockerEngine> {
  const folder = await makeTempDir()
  const engine = new ScriptedEngine(options)
  const listener = (request: IncomingMessage, response: ServerResponse) =>
    void engine.answer(request, response)
  const { tls, tcp = tls !== undefined } = options
  const server =
    tls === undefined
      ? createServer(listener)
      : createSecureServer({ ...tls, requestCert: tls.ca !== undefined }, listener)
  const socket = join(folder.path, 'engine.sock')
  if (tcp) server.listen(0, '127.0.0.1')
  else server.listen(socket)
  await once(server, 'listening')
  return {
    host: tcp ? `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix://${socket}`,
    questions: engine.questions,
    archives: engine.archives,
    told: engine.told,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      await folder.remove()
    },
  }
}

class ScriptedEngine {
  readonly questions: EngineQuestion[] = []
  readonly archives = new Map<string, Buffer>()
  readonly told = new Map<string, object>()
  readonly #options: DockerEngineOptions

  constructor(options: DockerEngineOptions) {
    this.#options = options
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { apiVersion = '1.41', script } = this.#options
    if (apiVersion !== '') response.setHeader('Api-Version', apiVersion)
    try {
      const line = `${request.method} ${request.url}`
      if (await script?.(request, response)) {
        this.questions.push({ line, headers: request.headers, body: Buffer.alloc(0) })
        return
      }
      const body = await buffer(request)
      this.questions.push({ line, headers: request.headers, body })
      await this.#route(line.replace(/ \/v[0-9.]+\//, ' /'), body, response)
    } catch {
      // The other side went away, which is what a test of that wants.
      response.destroy()
    }
  }

  async #route(line: string, body: Buffer, response: ServerResponse): Promise<void> {
    if (line === 'GET /_ping') return void response.end('OK')
    if (line === 'GET /version') return sendJson(response, 200, { ApiVersion: '1.30' })
    if (line === 'POST /images/load') return this.#load(body, response)
    const [, name = '', question] = /^GET \/images\/(.+)\/(json|get)$/.exec(line) ?? []
    const archive = this.archives.get(name)
    if (archive === undefined) return sendJson(response, 404, { message: `No such image: ${name}` })
    if (question === 'json')
      return sendJson(response, 200, { Id: await idOf(archive), ...this.told.get(name) })
    response.setHeader('Content-Type', 'application/x-tar')
    response.end(archive)
  }

  async #load(body: Buffer, response: ServerResponse): Promise<void> {
    response.setHeader('Content-Type', 'application/json')
    for (const { RepoTags } of await listed(body)) {
      for (const name of RepoTags) {
        const familiar = name.replace(/^docker\.io\/(?:library\/)?/, '')
        for (const known of [name, familiar]) this.archives.set(known, body)
        response.write(`${JSON.stringify({ stream: `Loaded image: ${familiar}\n` })}\r\n`)
      }
    }
    response.end()
  }
}

function sendJson(response: ServerResponse, status: number, document: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(document)}\n`)
}

async function idOf(archive: Buffer): Promise<string> {
  const [image] = await listed(archive)
  return `sha256:${/[0-9a-f]{64}/.exec(image?.Config ?? '')}`
}

/** What manifest.json lists, read without the program's own code. */
async function listed(archive: Buffer): Promise<readonly { Config: string; RepoTags: readonly string[] }[]> {
  for await (const entry of Readable.from([archive]).pipe(tar.extract())) {
    const content = await buffer(entry)
    if (entry.header.name === 'manifest.json') return JSON.parse(content.toString())
  }
  return []
}

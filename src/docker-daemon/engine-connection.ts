import type { ClientRequest, RequestOptions } from 'node:http'
import { type EngineAnswer, EngineExchange, type EngineRequest } from './engine-exchange.ts'
import type { EngineHost } from './engine-host.ts'

/** Certificates for an engine that is asked over TLS, as PEM texts. */
export interface EngineTls {
  /** Who may have signed the engine's certificate; the system's own authorities when absent. */
  readonly ca?: string | undefined
  /** The client's certificate, with its key. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** False takes any certificate of the engine's. */
  readonly verify?: boolean | undefined
}

/** Speaks HTTP with an engine, one connection for each question. No credential is ever sent. */
export class EngineConnection {
  readonly name: string
  readonly #host: EngineHost
  readonly #tls: EngineTls | undefined

  constructor(host: EngineHost, tls?: EngineTls) {
    this.name = host.name
    this.#host = host
    this.#tls = tls
  }

  /**
   * Asks, and answers as soon as the engine does. What it goes on with after its answer has begun is sent all the same.
   * @throws DrayError `NETWORK`, `TIMEOUT`, `ABORTED`, and what the body throws; the answer's body throws them too
   */
  async ask(question: EngineRequest): Promise<EngineAnswer> {
    return new EngineExchange(await this.#open(question), question, this.name).answer()
  }

  async #open({ method, path, body, idleMs }: EngineRequest): Promise<ClientRequest> {
    const { at } = this.#host
    const headers = { Host: 'docker', ...(body === undefined ? {} : { 'Content-Type': 'application/x-tar' }) }
    const options: RequestOptions = { method, path, headers, agent: false, timeout: idleMs }
    if ('socketPath' in at)
      return process.getBuiltinModule('node:http').request({ ...options, socketPath: at.socketPath })
    const { host } = at
    const isSecure = at.isSecure || this.#tls !== undefined
    const port = at.port ?? (isSecure ? 2376 : 2375)
    const own = { ...options, host, port, headers: { ...headers, Host: `${bracketed(host)}:${port}` } }
    if (!isSecure) return process.getBuiltinModule('node:http').request(own)
    const { ca, cert, key, verify = true } = this.#tls ?? {}
    return (await import('node:https')).request({ ...own, ca, cert, key, rejectUnauthorized: verify })
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

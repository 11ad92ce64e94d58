import type { ClientRequest, IncomingMessage } from 'node:http'
import { DrayError } from '../errors.ts'
import { systemCode } from '../files/io-error.ts'
import { type Chunks, pour } from '../flow.ts'
import { abortError } from '../work-group.ts'

/** A question to an engine. */
export interface EngineRequest {
  readonly method: 'GET' | 'POST'
  /** With a slash in front. */
  readonly path: string
  /** An archive. */
  readonly body?: Chunks | undefined
  /** How long the other side may be silent, in milliseconds. */
  readonly idleMs: number
  readonly signal?: AbortSignal | undefined
}

/** An engine's answer. */
export interface EngineAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Must be read or left, or the connection stays open. */
  readonly body: Chunks
}

/** One question on its way, and its answer. */
export class EngineExchange {
  readonly #name: string
  readonly #request: ClientRequest
  readonly #answered: Promise<IncomingMessage>
  /** Why the exchange was ended on this side. */
  #fault: { readonly error: unknown } | undefined

  /** @param name what the engine is called in messages */
  constructor(request: ClientRequest, question: EngineRequest, name: string) {
    const { body, signal, idleMs } = question
    this.#name = name
    this.#request = request
    this.#answered = new Promise((resolve, reject) => {
      request.once('response', resolve)
      request.on('error', reject)
    })
    request.on('timeout', () => this.#end(this.#silent(idleMs)))
    const abort = () => this.#end(abortError(signal))
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    request.once('close', () => signal?.removeEventListener('abort', abort))
    this.#send(body).catch(error => this.#end(error))
  }

  /** @throws DrayError `NETWORK`, `TIMEOUT`, `ABORTED`, and what the question's body throws */
  async answer(): Promise<EngineAnswer> {
    try {
      const answer = await this.#answered
      return { status: answer.statusCode ?? 0, headers: answer.headers, body: this.#read(answer) }
    } catch (error) {
      throw this.#explain(error)
    }
  }

  async *#read(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
    try {
      yield* answer
    } catch (error) {
      throw this.#explain(error)
    } finally {
      this.#request.destroy()
    }
  }

  async #send(body: Chunks | undefined): Promise<void> {
    const request = this.#request
    let isGone = false
    request.once('close', () => {
      isGone = true
    })
    const gone = new Error('the engine does not listen any more')
    try {
      if (body !== undefined) {
        await pour(body, piece => {
          if (isGone) throw gone
          // The piece's memory is used again, and the request keeps what it cannot send yet.
          return request.write(Buffer.from(piece)) ? undefined : drained(request)
        })
      }
      request.end()
    } catch (error) {
      // What it answered before it closed the connection counts.
      if (error !== gone) throw error
    }
  }

  #end(error: unknown): void {
    this.#fault ??= { error }
    this.#request.destroy()
  }

  #explain(error: unknown): unknown {
    if (this.#fault !== undefined) return this.#fault.error
    const code =
      systemCode(error) ?? (error instanceof Error && 'code' in error ? String(error.code) : undefined)
    if (code === undefined) return error
    const { why, hint } = reasons[code] ?? { why: `the connection failed (${code})` }
    return new DrayError('NETWORK', `${this.#name}: ${why}`, { hint, cause: error })
  }

  #silent(idleMs: number): DrayError {
    return new DrayError('TIMEOUT', `${this.#name}: the engine was silent for ${idleMs / 1000} s`)
  }
}

const start = 'start docker or podman, or say with DOCKER_HOST where it listens'
const permission = {
  why: 'permission denied',
  hint: "only the engine's group may use its socket: join it, or run an engine of your own (rootless)",
}

const reasons: Readonly<Record<string, { readonly why: string; readonly hint?: string }>> = {
  ENOENT: { why: 'no engine listens there', hint: start },
  ENOTDIR: { why: 'no engine listens there', hint: start },
  ECONNREFUSED: { why: 'no engine listens there', hint: start },
  ENOTFOUND: { why: 'the host name is not known' },
  EACCES: permission,
  EPERM: permission,
  ECONNRESET: { why: 'the engine closed the connection' },
  EPIPE: { why: 'the engine closed the connection' },
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise(resolve => {
    const go = () => {
      request.off('drain', go)
      request.off('close', go)
      resolve()
    }
    request.on('drain', go)
    request.on('close', go)
  })
}

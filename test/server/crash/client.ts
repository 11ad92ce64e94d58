import { expect } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Found } from './ledger.ts'

/** The registry is not there (any more). */
export class ConnectionLost extends Error {
  /** Whether it was there when it was asked. */
  readonly wasAsked: boolean

  constructor(cause: unknown) {
    super('the connection was lost', { cause })
    const reason = cause instanceof Error ? cause.cause : undefined
    this.wasAsked = !(reason instanceof Error && 'code' in reason && reason.code === 'ECONNREFUSED')
  }
}

/** A request. */
export interface Asking {
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array
}

/** What came back, with its whole body. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** A client of one registry that is not surprised when it dies. */
export class Client {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** @throws ConnectionLost; and a failed test where the status is another */
  async ask(
    statuses: readonly number[],
    method: string,
    path: string,
    asking: Asking = {},
  ): Promise<Answered> {
    const answer = await this.#ask(method, path, asking)
    expect(statuses, `${method} ${path}: ${answer.status} ${answer.body}`).toContain(answer.status)
    return answer
  }

  /** The digest of what is under a path, as the registry says. */
  async head(path: string): Promise<Found> {
    const { headers, status } = await this.ask([200, 404], 'HEAD', `/v2/${path}`)
    return status === 404 ? undefined : (headers.get('docker-content-digest') as Found)
  }

  /** The digest of the bytes under a path. */
  async get(path: string): Promise<Found> {
    const { body, status } = await this.ask([200, 404], 'GET', `/v2/${path}`)
    return status === 404 ? undefined : digestOf(body)
  }

  async #ask(method: string, path: string, { headers = {}, body }: Asking): Promise<Answered> {
    try {
      const answer = await fetch(`${this.#url}${path}`, {
        method,
        headers,
        ...(body && { body: Buffer.from(body) }),
      })
      return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) }
    } catch (error) {
      throw new ConnectionLost(error)
    }
  }
}

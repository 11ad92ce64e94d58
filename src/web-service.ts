/** A question to a web service that is no registry: a cloud's token endpoint, a provider's own API. */
export interface WebRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What it answered, whole. */
export interface WebAnswer {
  readonly status: number
  /** A header by its name in lower case; several lines are joined by ", ". */
  header(name: string): string | undefined
  readonly body: string
}

/**
 * Asks a web service, with retries, without a login of its own: what proves who asks stands in the request's headers.
 * Any status is an answer. Rejects with a DrayError (`NETWORK`, `TIMEOUT`, `ABORTED`), or `INTEGRITY` for an answer that
 * is too large.
 */
export type AskWebService = (request: WebRequest) => Promise<WebAnswer>

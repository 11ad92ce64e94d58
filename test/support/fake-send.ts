import { type HttpRequest, headersFrom, isStreamBody, type Send } from '../../src/http/message.ts'
import { collect } from '../../src/oci/content.ts'

/** An answer of the fake; 200 with nothing in it where nothing is said. */
export interface FakeAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | undefined
  /** Where the answer comes from; the request's URL if not given. */
  readonly url?: string
}

/** Answers in the order of the requests, errors that are thrown, or a function that answers each request. */
export type Script =
  | readonly (FakeAnswer | Error)[]
  | ((request: SeenRequest) => FakeAnswer | Promise<FakeAnswer>)

/** A request as it was sent, with its body read. */
export interface SeenRequest extends Omit<HttpRequest, 'body'> {
  readonly body: string | undefined
}

/** A Send that reads from a script and writes down what was asked. */
export interface FakeSend {
  readonly send: Send
  readonly requests: readonly SeenRequest[]
  /** `GET https://host/path` of each request. */
  readonly lines: readonly string[]
  /** The `Authorization` of each request. */
  readonly authorizations: readonly (string | undefined)[]
  /** How many answers were given up unread. */
  readonly discarded: number
}

/** Makes one. A script that has no answer left throws an Error that is not a DrayError. */
export function fakeSend(script: Script): FakeSend {
  const requests: SeenRequest[] = []
  let discarded = 0
  const answerTo = (request: SeenRequest) => {
    if (typeof script === 'function') return script(request)
    const answer = script[requests.length - 1]
    if (answer === undefined) throw new Error(`no answer left for ${request.method} ${request.url}`)
    if (answer instanceof Error) throw answer
    return answer
  }
  return {
    requests,
    get lines() {
      return requests.map(({ method, url }) => `${method} ${url}`)
    },
    get authorizations() {
      return requests.map(({ headers }) => headers?.authorization)
    },
    get discarded() {
      return discarded
    },
    send: async request => {
      const seen = { ...request, body: await readBody(request.body) }
      requests.push(seen)
      const { status = 200, headers = {}, body, url } = await answerTo(seen)
      return {
        status,
        headers: headersFrom(headers),
        url: url === undefined ? request.url : new URL(url),
        body: chunks(body),
        discard: async () => {
          discarded += 1
        },
      }
    },
  }
}

/** A JSON answer. */
export function json(document: unknown, status = 200): FakeAnswer {
  return { status, body: JSON.stringify(document) }
}

/** A 401 (if not said otherwise) with challenges. */
export function challenge(header: string | string[], status = 401): FakeAnswer {
  return { status, headers: { 'www-authenticate': header } }
}

async function readBody(body: HttpRequest['body']): Promise<string | undefined> {
  if (body === undefined) return undefined
  if (!isStreamBody(body)) return Buffer.from(body).toString()
  return (await collect(await body.open(), 1024 * 1024, 'a body')).toString()
}

async function* chunks(body: string | undefined): AsyncGenerator<Uint8Array> {
  if (body !== undefined) yield Buffer.from(body)
}

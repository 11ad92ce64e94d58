import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from 'node:http'
import { request as ask } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Credential } from '../../../src/credential.ts'
import type { EmbeddedRegistry } from '../embedded-registry.ts'

/** A provider as it is met: hosts that answer as its own do, in front of a registry that keeps the content. */
export interface Emulation {
  /** As in the reference on registries: `Docker Hub`. */
  readonly name: string
  /** As in references: `docker.io`. */
  readonly registry: string
  /** Every host that the provider's clients talk to, by name. */
  readonly hosts: Readonly<Record<string, RequestListener>>
  /** A repository that may be written to. */
  readonly repository: string
  /** A login that may do everything. */
  readonly credential: Extract<Credential, { kind: 'basic' }>
  /** Variables without which its own API cannot be used (AWS keys). */
  readonly env?: Readonly<Record<string, string>>
  /** What this provider does with each of these; `yes` where absent. */
  readonly expects: Expectations
}

/** How a provider differs in what can be done. */
export interface Expectations {
  /** Its catalog: open, to be had by the provider's own API (`own`), or closed with a hint. */
  readonly catalog: 'open' | 'own' | 'closed'
  /** One tag of two is deleted alone; `refused` where siblings would go too. */
  readonly deleteTag: 'yes' | 'refused'
  /** An image is deleted by its digest, with its tags, with `--force`. */
  readonly deleteImage: 'yes' | 'refused'
  /** How `dray digest` ends for a tag that is not there: 3 where absent, 4 for a provider that says it is forbidden. */
  readonly absentTag?: 3 | 4
}

/** Makes an emulation over a registry that keeps the content and asks for no login. */
export type Emulate = (store: EmbeddedRegistry) => Emulation

/** What may be changed on the way to the registry behind, and on the way back. */
export interface ForwardOptions {
  /** The path with its query; the request's own if not given. */
  readonly path?: string | undefined
  readonly method?: string | undefined
  /** Changes the status and headers of the answer. */
  readonly answer?: (answer: { status: number; headers: OutgoingHttpHeaders }) => void
}

/** Hands a request on to the registry behind, without its `Authorization`, and its answer back. */
export async function forward(
  store: EmbeddedRegistry,
  [message, response]: readonly [IncomingMessage, ServerResponse],
  options: ForwardOptions = {},
): Promise<void> {
  const { path = message.url, method = message.method, answer } = options
  const { authorization, host, ...headers } = message.headers
  const [hostname, port] = store.host.split(':')
  const outgoing = ask({ host: hostname, port, path, method, headers })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject)
  })
  await Promise.all([pipeline(message, outgoing), answered])
  const incoming = await answered
  const told = { status: incoming.statusCode ?? 502, headers: { ...incoming.headers } as OutgoingHttpHeaders }
  answer?.(told)
  response.writeHead(told.status, told.headers)
  await pipeline(incoming, response)
}

/** Answers with JSON. */
export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  const text = JSON.stringify(body)
  response
    .writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...headers,
    })
    .end(text)
}

/** An error of the registry API (distribution-spec v1.1, "Error Codes"). */
export interface SaidError {
  readonly code: string
  readonly message: string
  readonly detail?: unknown
}

/** Answers with one error in the registry API's form. */
export function answerError(
  response: ServerResponse,
  status: number,
  error: SaidError,
  headers: OutgoingHttpHeaders = {},
): void {
  answerJson(response, status, { errors: [error] }, headers)
}

/** The name and password of an `Authorization: Basic` header. */
export function basicLogin({ headers }: IncomingMessage): { username: string; password: string } | undefined {
  const encoded = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

import { setMaxListeners } from 'node:events'
import type { Readable } from 'node:stream'
import type { Agent, Dispatcher } from 'undici'
import { flow, pour, watched } from '../flow.ts'
import { untilAborted } from '../until-aborted.ts'
import { type Connect, createConnector } from './connector.ts'
import {
  type HttpRequest,
  type HttpResponse,
  headersFrom,
  isStreamBody,
  type Send,
  type StreamBody,
  withHeaders,
} from './message.ts'
import { refuseMisdirected } from './misdirected.ts'
import { aborted, networkError } from './network-error.ts'
import type { HttpProxy, ProxySettings } from './proxy.ts'
import { type TlsSettings, tlsOptions } from './tls.ts'
import type { OutgoingRequest } from './wire/request-head.ts'

export type { ProxySettings } from './proxy.ts'

export interface TransportOptions {
  readonly tls?: TlsSettings | undefined
  readonly proxy?: ProxySettings | undefined
  /** Bounds connecting, in milliseconds; 15 s when absent. */
  readonly connectTimeoutMs?: number | undefined
  /**
   * Bounds the wait for an answer and for each next piece of a body, in milliseconds; 60 s, and 5 min for the answer to
   * an upload, when absent.
   */
  readonly timeoutMs?: number | undefined
  /** Ends every request that has no signal of its own. */
  readonly signal?: AbortSignal | undefined
}

/** A Send over the network and the means to close its idle connections. */
export interface Transport {
  readonly send: Send
  close(): Promise<void>
}

const defaultConnectTimeoutMs = 15_000
const defaultTimeoutMs = 60_000
/** Unless told otherwise: a registry may take minutes to put a large blob in its place before it answers. */
const uploadTimeoutMs = 300_000

/**
 * Sends requests with undici, and what is large over a wire of its own; either is loaded when the first such request goes
 * out. One transport holds one pool of connections of each.
 */
export function createTransport(options: TransportOptions = {}): Transport {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const proxyFor = proxyChoice(options.proxy)
  // Not the options' signal: behind that, uploads are still cancelled by requests with a signal of their own.
  const closing = new AbortController()
  // Every connection that is being opened listens to it; before Node 22 more than ten look like a leak.
  setMaxListeners(0, closing.signal)
  const connect = createConnector({
    tls: once(() => tlsOptions(options.tls ?? {})),
    proxyFor,
    connectTimeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
    signal: closing.signal,
  })
  const openUndici = once(() => openDispatcher(connect, timeoutMs))
  const openWire = once(async () => {
    const { createWire } = await import('./wire/wire.ts')
    const { signal } = options
    return createWire({ connect, timeoutMs, uploadTimeoutMs: options.timeoutMs ?? uploadTimeoutMs, signal })
  })
  const isBulk = ({ isBulk = false, body }: HttpRequest) => isBulk || isStreamBody(body)
  const send = refuseMisdirected(async request =>
    isBulk(request) ? (await openWire()).send(request) : exchange(await openUndici(), request, options),
  )
  return {
    send: async request => {
      const forwarder = request.url.protocol === 'http:' ? await proxyFor?.(request.url) : undefined
      return forwarder === undefined ? send(request) : forward(send, request, forwarder)
    },
    close: async () => {
      closing.abort()
      ;(await openWire.opened())?.close()
      await (await openUndici.opened())?.dispatcher.destroy()
    },
  }
}

/** How the proxy for a URL is found; undefined where there is none for any. */
function proxyChoice(
  settings: ProxySettings | undefined,
): ((url: URL) => Promise<HttpProxy | undefined>) | undefined {
  if (settings?.http === undefined && settings?.https === undefined) return undefined
  return async url => (await import('./proxy.ts')).proxyFor(url, settings)
}

/** Plain HTTP is not tunnelled, since many proxies allow that for port 443 only (RFC 9112, section 3.2.2). */
async function forward(send: Send, request: HttpRequest, proxy: HttpProxy): Promise<HttpResponse> {
  const { url } = request
  const target = `${url.origin}${url.pathname}${url.search}`
  const forwarded: OutgoingRequest = {
    ...withHeaders(request, { 'proxy-authorization': proxy.authorization }),
    target,
  }
  const response = await send(forwarded)
  if (response.status !== 407) return response
  await response.discard()
  const { proxyLoginError } = await import('./tunnel.ts')
  throw proxyLoginError(proxy, response.headers)
}

/** Makes something when it is first wanted, and only once. */
function once<Value>(make: () => Promise<Value>) {
  let made: Promise<Value> | undefined
  const get = () => {
    made ??= make()
    return made
  }
  return Object.assign(get, { opened: () => made })
}

/** The part of a Dispatcher that is used here. */
type Dispatch = Pick<Dispatcher, 'dispatch' | 'destroy'>

interface OpenTransport {
  readonly dispatcher: Dispatch
  readonly request: (options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>
}

async function openDispatcher(connect: Connect, timeoutMs: number): Promise<OpenTransport> {
  const dispatcher = await createDispatcher(connect, timeoutMs)
  // undici has no types for its parts, which take a third of the time that the whole takes to load.
  // @ts-expect-error
  const part: RequestPart = await import('undici/lib/api/api-request.js')
  return { dispatcher, request: request => part.default.call(dispatcher, request) }
}

interface RequestPart {
  readonly default: (this: Dispatch, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>
}

async function createDispatcher(connect: Connect, timeoutMs: number): Promise<Dispatch> {
  // @ts-expect-error
  const part: { default: typeof Agent } = await import('undici/lib/dispatcher/agent.js')
  return new part.default({
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: ({ protocol, hostname, host = hostname }, callback) => {
      connect({ url: new URL(`${protocol}//${host}`) }).then(
        socket => callback(null, socket),
        error => callback(error, null),
      )
    },
  })
}

async function exchange(
  open: OpenTransport,
  request: OutgoingRequest,
  options: TransportOptions,
): Promise<HttpResponse> {
  const signal = request.signal ?? options.signal
  const upload = isStreamBody(request.body) ? request.body : undefined
  /** What the source of the bytes failed with, which is then the true cause of the request's end. */
  let failure: { readonly error: unknown } | undefined
  const onFault = (error: unknown) => {
    failure = { error }
  }
  try {
    signal?.throwIfAborted()
    const answering = open.request({
      origin: request.url.origin,
      path: request.target ?? `${request.url.pathname}${request.url.search}`,
      method: request.method,
      headers: requestHeaders(request),
      // undici would close the connection behind every answer to a HEAD, for servers that send a body with it; what comes on
      // an idle connection ends it all the same.
      reset: false,
      body:
        upload === undefined ? ((request.body as Uint8Array | undefined) ?? null) : asBody(upload, onFault),
      ...(upload !== undefined && options.timeoutMs === undefined ? { headersTimeout: uploadTimeoutMs } : {}),
      ...(signal === undefined ? {} : { signal }),
    })
    // undici hears of an abort only when it has a connection.
    const response = await untilAborted(answering, signal, aborted)
    return {
      status: response.statusCode,
      headers: headersFrom(response.headers),
      url: request.url,
      body: guarded(response.body, request.url, signal),
      discard: async () => {
        // What is wrong with a body that nobody wants is of no interest.
        await response.body.dump({ limit: 64 * 1024 }).catch(() => undefined)
      },
    }
  } catch (error) {
    if (signal?.aborted) throw aborted(signal)
    if (failure !== undefined) throw failure.error
    throw networkError(error, request.url)
  }
}

function requestHeaders(request: HttpRequest): Record<string, string> {
  const { body } = request
  if (body === undefined) {
    const isWrite = request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH'
    return { ...request.headers, ...(isWrite ? { 'content-length': '0' } : {}) }
  }
  return { ...request.headers, 'content-length': String(body.length) }
}

/** undici sends any async iterable; its types know only of streams. */
function asBody({ open }: StreamBody, onFault: (error: unknown) => void): Readable {
  const content = flow(async take => pour(await open(), take))
  return watched(content, onFault) as unknown as Readable
}

async function* guarded(
  body: AsyncIterable<Uint8Array>,
  url: URL,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    if (signal?.aborted) throw aborted(signal)
    throw networkError(error, url)
  }
}

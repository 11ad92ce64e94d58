import type { Readable } from 'node:stream'
import type { Agent, buildConnector, Dispatcher } from 'undici'
import { DrayError } from '../errors.ts'
import { flow, pour, watched } from '../flow.ts'
import {
  type HttpRequest,
  type HttpResponse,
  headersFrom,
  isStreamBody,
  type Send,
  type StreamBody,
} from './message.ts'
import { aborted, networkError } from './network-error.ts'
import { type TlsOptions, type TlsSettings, tlsOptions } from './tls.ts'

/** URLs of proxies, and a list of hosts that are reached without one, as the usual environment variables give them. */
export interface ProxySettings {
  readonly http?: string | undefined
  readonly https?: string | undefined
  readonly no?: string | undefined
}

export interface TransportOptions {
  readonly tls?: TlsSettings | undefined
  readonly proxy?: ProxySettings | undefined
  /** Bounds connecting, in milliseconds. */
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
 * Sends requests with undici, and what is large over a wire of its own where no proxy is in between; either is loaded when
 * the first such request goes out. One transport holds one pool of connections of each.
 */
export function createTransport(options: TransportOptions = {}): Transport {
  const tls = once(() => tlsOptions(options.tls ?? {}))
  const openUndici = once(() => openDispatcher(options, tls))
  const openWire = once(async () => {
    const { createWire } = await import('./wire/wire.ts')
    return createWire({
      tls,
      connectTimeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
      timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
      uploadTimeoutMs: options.timeoutMs ?? uploadTimeoutMs,
      signal: options.signal,
    })
  })
  const isBulk = ({ isBulk = false, body }: HttpRequest) => isBulk || isStreamBody(body)
  return {
    send: async request =>
      isBulk(request) && !isProxied(request.url.protocol, options.proxy)
        ? (await openWire()).send(request)
        : exchange(await openUndici(), request, options),
    close: async () => {
      ;(await openWire.opened())?.close()
      await (await openUndici.opened())?.dispatcher.destroy()
    },
  }
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

function isProxied(protocol: string, proxy: ProxySettings = {}): boolean {
  return (protocol === 'https:' ? proxy.https : proxy.http) !== undefined
}

/** The part of a Dispatcher that is used here. */
type Dispatch = Pick<Dispatcher, 'dispatch' | 'destroy'>

interface OpenTransport {
  readonly dispatcher: Dispatch
  readonly request: (options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>
}

async function openDispatcher(
  options: TransportOptions,
  tls: () => Promise<TlsOptions>,
): Promise<OpenTransport> {
  const dispatcher = await createDispatcher(options, tls)
  // undici has no types for its parts, which take a third of the time that the whole takes to load.
  // @ts-expect-error
  const part: RequestPart = await import('undici/lib/api/api-request.js')
  return { dispatcher, request: request => part.default.call(dispatcher, request) }
}

interface RequestPart {
  readonly default: (this: Dispatch, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>
}

async function createDispatcher(
  options: TransportOptions,
  tls: () => Promise<TlsOptions>,
): Promise<Dispatch> {
  const { proxy } = options
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const timeout = options.connectTimeoutMs ?? defaultConnectTimeoutMs
  const settings = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
  // @ts-expect-error
  const part: { default: typeof Agent } = await import('undici/lib/dispatcher/agent.js')
  const direct = new part.default({ ...settings, connect: await connector(timeout, tls) })
  if (proxy?.http === undefined && proxy?.https === undefined) return direct
  // By a name that no bundler sees through: the whole of undici would be half of the program, which seldom needs it.
  const name = 'undici'
  const { EnvHttpProxyAgent }: typeof import('undici') = await import(name)
  const proxied = new EnvHttpProxyAgent({
    ...settings,
    // What is left out undici would take from the environment.
    httpProxy: proxyUrl(proxy.http, 'HTTP_PROXY'),
    httpsProxy: proxyUrl(proxy.https, 'HTTPS_PROXY'),
    noProxy: proxy.no ?? '',
    // Many proxies open tunnels to port 443 only; what is plain HTTP they forward.
    proxyTunnel: false,
    connect: { timeout, ...(await tls()) },
    requestTls: { timeout, ...(await tls()) },
  })
  return byScheme(direct, proxied, proxy)
}

/** Certificates are looked at when the first connection over TLS is opened. */
async function connector(timeout: number, tls: () => Promise<TlsOptions>): Promise<buildConnector.connector> {
  // @ts-expect-error
  const part: { default: typeof buildConnector } = await import('undici/lib/core/connect.js')
  const plain = part.default({ timeout })
  const secure = once(async () => part.default({ timeout, ...(await tls()) }))
  return (options, callback) => {
    if (options.protocol !== 'https:') return plain(options, callback)
    secure().then(
      connect => connect(options, callback),
      error => callback(error, null),
    )
  }
}

/** undici would send https through the proxy for http where https has none of its own; curl and others do not. */
function byScheme(direct: Dispatch, proxied: Dispatch, proxy: ProxySettings): Dispatch {
  const dispatcherOf = (origin: string) => (isProxied(new URL(origin).protocol, proxy) ? proxied : direct)
  return {
    dispatch: (options, handler) => dispatcherOf(String(options.origin)).dispatch(options, handler),
    destroy: async () => {
      await Promise.all([direct.destroy(), proxied.destroy()])
    },
  }
}

/** Like curl, takes a proxy without a scheme for one of http. What is wrong is not shown: it may hold a password. */
function proxyUrl(text: string | undefined, name: string): string {
  if (text === undefined) return ''
  const url = text.includes('://') ? text : `http://${text}`
  if (/^(https?|socks5?):/i.test(url) && URL.canParse(url)) return url
  throw new DrayError('USAGE', `${name} is not the URL of a proxy`, { hint: 'for example http://host:3128' })
}

async function exchange(
  open: OpenTransport,
  request: HttpRequest,
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
    const response = await open.request({
      origin: request.url.origin,
      path: `${request.url.pathname}${request.url.search}`,
      method: request.method,
      headers: requestHeaders(request),
      body:
        upload === undefined ? ((request.body as Uint8Array | undefined) ?? null) : asBody(upload, onFault),
      ...(upload !== undefined && options.timeoutMs === undefined ? { headersTimeout: uploadTimeoutMs } : {}),
      ...(signal === undefined ? {} : { signal }),
    })
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

import type { Readable } from 'node:stream'
import type { Agent, Dispatcher } from 'undici'
import { DrayError } from '../errors.ts'
import { type HttpRequest, type HttpResponse, headersFrom, isStreamBody, type Send } from './message.ts'
import { aborted, networkError } from './network-error.ts'

/** How the other side is to be trusted, and how it is to trust us. */
export interface TlsSettings {
  /** Certificates in PEM that are trusted beside the usual roots. */
  readonly ca?: readonly string[] | undefined
  /** A client certificate and its key, in PEM. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Accepts any certificate. */
  readonly insecure?: boolean | undefined
}

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

/** Sends requests with undici, which is loaded when the first one goes out. One transport holds one pool of connections. */
export function createTransport(options: TransportOptions = {}): Transport {
  let opening: Promise<OpenTransport> | undefined
  const open = () => {
    opening ??= openDispatcher(options)
    return opening
  }
  return {
    send: async request => exchange(await open(), request, options),
    close: async () => {
      if (opening !== undefined) await (await opening).dispatcher.destroy()
    },
  }
}

/** The part of a Dispatcher that is used here. */
type Dispatch = Pick<Dispatcher, 'dispatch' | 'destroy'>

interface OpenTransport {
  readonly dispatcher: Dispatch
  readonly request: (options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>
}

async function openDispatcher(options: TransportOptions): Promise<OpenTransport> {
  const dispatcher = await createDispatcher(options)
  // undici has no types for its parts, which take a third of the time that the whole takes to load.
  // @ts-expect-error
  const part: RequestPart = await import('undici/lib/api/api-request.js')
  return { dispatcher, request: request => part.default.call(dispatcher, request) }
}

interface RequestPart {
  readonly default: (this: Dispatch, options: Dispatcher.RequestOptions) => Promise<Dispatcher.ResponseData>
}

async function createDispatcher(options: TransportOptions): Promise<Dispatch> {
  const { proxy } = options
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  const connect = {
    timeout: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
    ...(await tlsOptions(options.tls ?? {})),
  }
  const settings = { connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
  // @ts-expect-error
  const part: { default: typeof Agent } = await import('undici/lib/dispatcher/agent.js')
  const direct = new part.default(settings)
  if (proxy?.http === undefined && proxy?.https === undefined) return direct
  const { default: undici } = await import('undici')
  const proxied = new undici.EnvHttpProxyAgent({
    ...settings,
    // What is left out undici would take from the environment.
    httpProxy: proxyUrl(proxy.http, 'HTTP_PROXY'),
    httpsProxy: proxyUrl(proxy.https, 'HTTPS_PROXY'),
    noProxy: proxy.no ?? '',
    // Many proxies open tunnels to port 443 only; what is plain HTTP they forward.
    proxyTunnel: false,
    requestTls: connect,
  })
  return byScheme(direct, proxied, proxy)
}

/** undici would send https through the proxy for http where https has none of its own; curl and others do not. */
function byScheme(direct: Dispatch, proxied: Dispatch, proxy: ProxySettings): Dispatch {
  const isProxied = (origin: string) => (origin.startsWith('https:') ? proxy.https : proxy.http) !== undefined
  return {
    dispatch: (options, handler) =>
      (isProxied(String(options.origin)) ? proxied : direct).dispatch(options, handler),
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

async function tlsOptions({ ca, cert, key, insecure }: TlsSettings) {
  return {
    ...(ca === undefined || ca.length === 0 ? {} : { ca: [...(await usualRoots()), ...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(insecure ? { rejectUnauthorized: false } : {}),
  }
}

/** What Node trusts by itself; only newer versions (22.15, 23.10) can list that with the user's additions. */
async function usualRoots(): Promise<readonly string[]> {
  const tls = await import('node:tls')
  const { getCACertificates, rootCertificates = [] }: Partial<typeof tls> = tls
  return getCACertificates?.('default') ?? rootCertificates
}

async function exchange(
  open: OpenTransport,
  request: HttpRequest,
  options: TransportOptions,
): Promise<HttpResponse> {
  const signal = request.signal ?? options.signal
  const upload = isStreamBody(request.body) ? watched(request.body.open, signal) : undefined
  try {
    signal?.throwIfAborted()
    const response = await open.request({
      origin: request.url.origin,
      path: `${request.url.pathname}${request.url.search}`,
      method: request.method,
      headers: requestHeaders(request),
      body: upload === undefined ? ((request.body as Uint8Array | undefined) ?? null) : asBody(upload.chunks),
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
    if (upload?.failure !== undefined) throw upload.failure.error
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
function asBody(chunks: AsyncIterable<Uint8Array>): Readable {
  return chunks as unknown as Readable
}

interface WatchedUpload {
  readonly chunks: AsyncIterable<Uint8Array>
  /** What the source of the bytes threw, which is then the true cause of the request's end. */
  failure?: { readonly error: unknown }
}

function watched(
  open: () => Promise<AsyncIterable<Uint8Array>>,
  signal: AbortSignal | undefined,
): WatchedUpload {
  const upload: WatchedUpload = { chunks: read() }
  return upload

  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of await open()) {
        if (signal?.aborted) return
        yield chunk
      }
    } catch (error) {
      upload.failure = { error }
      throw error
    }
  }
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

import { setMaxListeners } from 'node:events'
import type { Agent } from 'undici'
import { DrayError } from '../errors.ts'
import { type Connect, createConnector } from './connector.ts'
import { type HttpRequest, type HttpResponse, isStreamBody, type Send, withHeaders } from './message.ts'
import { refuseMisdirected } from './misdirected.ts'
import type { HttpProxy, ProxySettings } from './proxy.ts'
import { SmallExchange } from './small-exchange.ts'
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
  const openUndici = once(() => createDispatcher(connect, timeoutMs))
  const openWire = once(async () => {
    const { createWire } = await import('./wire/wire.ts')
    const { signal } = options
    return createWire({ connect, timeoutMs, uploadTimeoutMs: options.timeoutMs ?? uploadTimeoutMs, signal })
  })
  const isBulk = ({ isBulk = false, body }: HttpRequest) => isBulk || isStreamBody(body)
  const send = refuseMisdirected(async request =>
    isBulk(request)
      ? (await openWire()).send(request)
      : new SmallExchange(request, options.signal).run(await openUndici()),
  )
  return {
    send: async request => {
      const forwarder = request.url.protocol === 'http:' ? await proxyFor?.(request.url) : undefined
      return forwarder === undefined ? send(request) : forward(send, request, forwarder)
    },
    close: async () => {
      closing.abort()
      ;(await openWire.opened())?.close()
      await (await openUndici.opened())?.destroy(closed())
    },
  }
}

/** For requests that are still under way; without a stack, which Node would write out for each connection that it closes. */
function closed(): DrayError {
  const error = new DrayError('ABORTED', 'the connections were closed')
  error.stack = `${error}`
  return error
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

async function createDispatcher(connect: Connect, timeoutMs: number): Promise<Agent> {
  // undici has no types for its parts, which take a third of the time that the whole takes to load.
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

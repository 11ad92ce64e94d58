import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import { startLoopback } from './loopback.ts'

/** What goes wrong with one request. Bytes are counted in the body, from 0. */
export type Fault =
  /** The connection breaks before an answer. */
  | { readonly kind: 'refuse' }
  /** An answer of the proxy's own; the server behind does not see the request. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  /** The connection breaks when so many bytes of the answer were sent. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The connection breaks when so many bytes of the request were passed on. */
  | { readonly kind: 'cut-upload'; readonly afterBytes: number }
  /** Nothing more of the request is passed on after so many bytes, but the connection stays. */
  | { readonly kind: 'stall-upload'; readonly afterBytes: number }
  /** One byte of the request is passed on as another. */
  | { readonly kind: 'corrupt-upload'; readonly atByte: number }
  /** Nothing more comes after so many bytes, but the connection stays. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** The answer ends in good order after so many bytes, without a `Content-Length`. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** One byte is another. */
  | { readonly kind: 'corrupt'; readonly atByte: number }

export interface FaultRule {
  /** Which requests; the path has no query. All methods and paths if not given. */
  readonly method?: string | undefined
  readonly path?: RegExp | undefined
  /** How often; once if not given. */
  readonly times?: number | undefined
  readonly fault: Fault
}

/** A request that the proxy saw. */
export interface ProxiedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  /** The client's port: another for each of its connections. */
  readonly port: number | undefined
  /** When it came and when its answer began, in milliseconds on the clock of `performance.now`. */
  readonly cameAt: number
  answeredAt?: number
  /** 0 until there is an answer. */
  status: number
  /** Bytes of the request's body that came, and of the answer's body that were sent. */
  received: number
  sent: number
}

export interface FaultyProxy extends AsyncDisposable {
  readonly url: string
  readonly host: string
  /** Those that came so far; a test may forget them. */
  readonly requests: ProxiedRequest[]
  /** The first rule that fits a request and is not used up spoils it. */
  spoil(rule: FaultRule): void
  stop(): Promise<void>
}

/** Stands in front of an HTTP server on loopback (`http://127.0.0.1:PORT`) and passes on all that no rule spoils. */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const rules: { rule: FaultRule; left: number }[] = []
  const requests: ProxiedRequest[] = []

  const faultFor = ({ method, path }: ProxiedRequest): Fault | undefined => {
    const found = rules.find(
      ({ rule, left }) =>
        left > 0 && (rule.method ?? method) === method && (rule.path === undefined || rule.path.test(path)),
    )
    if (found === undefined) return undefined
    found.left--
    return found.rule.fault
  }

  const server = await startLoopback((message, response) => {
    const { method = '', headers } = message
    const path = (message.url ?? '/').split('?', 1)[0] ?? '/'
    const seen: ProxiedRequest = {
      method,
      path,
      headers,
      port: message.socket.remotePort,
      cameAt: performance.now(),
      status: 0,
      received: 0,
      sent: 0,
    }
    requests.push(seen)
    const exchange: Exchange = {
      target,
      message,
      response,
      seen,
      fault: faultFor(seen),
    }
    // Either side may go away at any time; the other is then cut off as well, which is what a proxy is for.
    serve(exchange).catch(() => response.destroy())
  })
  return {
    url: server.url,
    host: server.host,
    requests,
    spoil: rule => rules.push({ rule, left: rule.times ?? 1 }),
    stop: server.stop,
    [Symbol.asyncDispose]: server.stop,
  }
}

interface Exchange {
  readonly target: string
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly seen: ProxiedRequest
  readonly fault: Fault | undefined
}

async function serve(exchange: Exchange): Promise<void> {
  const { response, seen, fault } = exchange
  if (fault?.kind === 'refuse') {
    response.destroy()
  } else if (fault?.kind === 'answer') {
    for await (const chunk of exchange.message) seen.received += chunk.length
    seen.status = fault.status
    seen.answeredAt = performance.now()
    seen.sent = Buffer.byteLength(fault.body ?? '')
    response.writeHead(fault.status, fault.headers).end(fault.body)
  } else {
    await passAnswer(await passRequest(exchange), exchange)
  }
}

/** Sends the request on and resolves with the server's answer, which may come before the whole body was sent. */
function passRequest({ target, message, response, seen, fault }: Exchange): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onward = forward(new URL(message.url ?? '/', target), {
      method: seen.method,
      headers: pairs(message.rawHeaders, ['connection', 'keep-alive']),
      agent: false,
    })
    onward.on('response', resolve)
    onward.on('error', reject)
    response.on('close', () => onward.destroy())
    const limit = requestLimit(fault)
    const cutNow = () => {
      if (seen.received >= limit && fault?.kind === 'cut-upload') throw new Error('cut')
    }
    const passBody = async () => {
      for await (const chunk of message) {
        cutNow()
        // What is not passed on is read all the same: otherwise it would not be seen when the client goes away.
        if (seen.received >= limit) continue
        const bad = fault?.kind === 'corrupt-upload' ? fault.atByte - seen.received : -1
        const piece = flipped(chunk.subarray(0, limit - seen.received), bad)
        seen.received += piece.length
        await write(onward, piece)
        cutNow()
      }
      if (seen.received < limit) onward.end()
    }
    passBody().catch(reject)
  })
}

async function passAnswer(answer: IncomingMessage, { response, seen, fault }: Exchange): Promise<void> {
  seen.status = answer.statusCode ?? 0
  seen.answeredAt = performance.now()
  const own = ['connection', 'keep-alive', ...(fault?.kind === 'truncate' ? ['content-length'] : [])]
  response.writeHead(seen.status, answer.statusMessage, pairs(answer.rawHeaders, own))
  response.flushHeaders()
  const limit = answerLimit(fault)
  for await (const chunk of answer) {
    const bad = fault?.kind === 'corrupt' ? fault.atByte - seen.sent : -1
    const piece = flipped(chunk.subarray(0, limit - seen.sent), bad)
    await write(response, piece)
    seen.sent += piece.length
    if (seen.sent >= limit) break
  }
  if (fault?.kind === 'cut') response.destroy()
  else if (fault?.kind !== 'stall') response.end()
}

/** A copy with one byte changed, if it is in there. */
function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes)
  if (at >= 0 && at < copy.length) copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at)
  return copy
}

/** After how many bytes of the request the fault comes. */
function requestLimit(fault: Fault | undefined): number {
  const endsEarly = fault?.kind === 'cut-upload' || fault?.kind === 'stall-upload'
  return endsEarly ? fault.afterBytes : Number.POSITIVE_INFINITY
}

/** After how many bytes of the answer the fault comes. */
function answerLimit(fault: Fault | undefined): number {
  const endsEarly = fault?.kind === 'cut' || fault?.kind === 'stall' || fault?.kind === 'truncate'
  return endsEarly ? fault.afterBytes : Number.POSITIVE_INFINITY
}

/** Resolves when the bytes went to the system, so that a connection cut afterwards has carried them. */
function write(stream: { write: ServerResponse['write'] }, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(bytes, error => (error ? reject(error) : resolve()))
  })
}

/** Raw headers (name, value, name, value, …) without those named. */
function pairs(rawHeaders: readonly string[], without: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => !without.includes(rawHeaders[at - (at % 2)]?.toLowerCase() ?? ''))
}

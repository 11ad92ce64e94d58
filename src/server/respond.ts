import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authorizer } from './auth/authorizer.ts'
import { methodNotAllowed, RegistryFault } from './errors.ts'
import { Exchange } from './exchange.ts'
import type { Mirrors } from './mirror/mirrors.ts'
import type { RequestEvent } from './request-event.ts'
import { findRoute } from './router.ts'
import type { Storage } from './storage/storage.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

/** What requests are answered with. */
export interface Answering {
  readonly storage: Storage
  readonly authorizer: Authorizer
  readonly proxies: TrustedProxies
  readonly readOnly: boolean
  readonly mirrors: Mirrors | undefined
  readonly onRequest: (event: RequestEvent) => void
}

/** Answers one request, and tells of it when it has ended. */
export async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answering: Answering,
): Promise<void> {
  const started = performance.now()
  const exchange = new Exchange(request, response, answering.proxies.clientOf(request))
  const closed = new Promise(resolve => response.once('close', resolve))
  let failure = {}
  try {
    await route(exchange, answering)
  } catch (error) {
    if (!(error instanceof RegistryFault)) failure = { error }
    exchange.fail(error)
  }
  await closed
  const { id, method, path, status, received, sent, user } = exchange
  const ms = performance.now() - started
  const userAgent = request.headers['user-agent']
  const remoteAddress = exchange.client.address
  const about = { id, method, path, status, ms, received, sent, user, remoteAddress, userAgent }
  answering.onRequest({ ...about, ...failure })
}

async function route(exchange: Exchange, answering: Answering): Promise<void> {
  const { storage, mirrors, authorizer, readOnly } = answering
  if (exchange.path === '/healthz') return sendHealth(exchange)
  if ((await authorizer.answers?.(exchange)) === true) return
  const { access, useful, writes, readingMethods, mirrored, run } = await findRoute(exchange, mirrors)
  exchange.grant = await authorizer.authorize(exchange, access, useful)
  if (writes && (readOnly || mirrored !== undefined)) {
    const what = mirrored === undefined ? 'this registry' : `${mirrored.name}, a mirror of another registry,`
    const headers = { Allow: readingMethods.join(', ') }
    throw new RegistryFault('UNSUPPORTED', `${what} is read-only`, { headers })
  }
  await run(storage)
}

function sendHealth(exchange: Exchange): void {
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    throw methodNotAllowed(exchange.method, ['GET', 'HEAD'])
  }
  exchange.send(200, { 'Content-Type': 'text/plain' }, Buffer.from('ok\n'))
}

import type { Socket } from 'node:net'
import type { DrayError } from '../errors.ts'
import type { HttpHeaders } from './message.ts'
import { NetworkError, proxyError, proxyName } from './network-error.ts'
import type { HttpProxy } from './proxy.ts'
import { onSocket, type Waiting } from './waiting.ts'
import type { ResponseHead } from './wire/head.ts'
import { HeadReader } from './wire/head-reader.ts'
import { WireFault } from './wire/wire-fault.ts'

export interface TunnelOptions {
  readonly proxy: HttpProxy
  /** What is at the other end. */
  readonly url: URL
  readonly waiting: Waiting
}

/**
 * Has a proxy connect us to the host of a URL (RFC 9110, section 9.3.6); what goes over the connection after that goes there.
 * @throws DrayError that says what the proxy answered, or the signal's reason
 */
export async function digTunnel(socket: Socket, { proxy, url, waiting }: TunnelOptions): Promise<Socket> {
  const target = `${url.hostname}:${url.port || 443}`
  const login = proxy.authorization === undefined ? [] : [`proxy-authorization: ${proxy.authorization}`]
  socket.write([`CONNECT ${target} HTTP/1.1`, `host: ${target}`, ...login, '\r\n'].join('\r\n'))
  const { status, headers } = await answerOf(socket, waiting).catch((error: unknown) => {
    if (waiting.signal?.aborted) throw error
    throw error instanceof WireFault && error.code === 'CONNECT_TIMEOUT'
      ? new NetworkError(
          'timeout',
          `cannot reach ${url.host}: ${proxyName(proxy)} did not connect to it in time`,
          {
            hint: 'raise --timeout if the connection is slow',
            cause: error,
          },
        )
      : proxyError(error, proxy)
  })
  if (status >= 200 && status < 300) return socket
  socket.destroy()
  // tinyproxy answers 401 to a wrong login.
  if (status === 407 || status === 401) throw proxyLoginError(proxy, headers)
  throw refusal(status, proxy, url)
}

/** The head alone; of a refusal its body is of no interest. */
function answerOf(socket: Socket, waiting: Waiting): Promise<ResponseHead> {
  return onSocket(socket, waiting, ({ resolve, reject }) => {
    const reader = new HeadReader('CONNECT')
    const take = (bytes: Uint8Array) => {
      try {
        const { head, rest } = reader.read(bytes) ?? {}
        if (head === undefined) return
        socket.off('data', take).pause()
        // Of the other end nothing can be here yet: with TLS the client speaks first.
        if (head.status < 300 && rest?.length !== 0) reject(new WireFault('CONNECTION_CLOSED'))
        else resolve(head)
      } catch (error) {
        reject(error)
      }
    }
    socket.on('data', take)
    return () => socket.off('data', take)
  })
}

/** For 407, by which a proxy asks for a login (RFC 9110, section 15.5.8), and for what else means it. */
export function proxyLoginError(proxy: HttpProxy, headers: HttpHeaders): DrayError {
  const { variable, authorization } = proxy
  const schemes = headers.all('proxy-authenticate').map(line => /^[\w-]{1,40}/.exec(line)?.[0] ?? '')
  const name = proxyName(proxy)
  if (schemes.length > 0 && !schemes.some(scheme => scheme.toLowerCase() === 'basic')) {
    return new NetworkError('unreachable', `${name} asks for a login by ${schemes.join(', ')} (407)`, {
      hint: 'only Basic can be used here; run a local proxy that logs in to this one',
    })
  }
  return authorization === undefined
    ? new NetworkError('unreachable', `${name} asks for a user and a password (407)`, {
        hint: `put them into ${variable}, in front of the host, with a colon between and an @ behind them`,
      })
    : new NetworkError('unreachable', `${name} does not accept the user and the password in its URL`, {
        hint: `check ${variable}; in a URL @ is written %40, : %3A, / %2F and % %25`,
      })
}

function refusal(status: number, proxy: HttpProxy, url: URL): DrayError {
  const isSlow = status === 504
  const message = `cannot reach ${url.host}: ${proxyName(proxy)} does not connect to it, and answers ${status}`
  const hint =
    status === 403 ? 'the proxy may not allow this host or port' : 'the name must be one that the proxy knows'
  return new NetworkError(isSlow ? 'timeout' : 'unreachable', message, {
    hint: `${hint}; what needs no proxy belongs in NO_PROXY`,
  })
}

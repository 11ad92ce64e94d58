import { DrayError } from '../errors.ts'
import { isExcepted } from './no-proxy.ts'

/** URLs of proxies, and a list of hosts that are reached without one, as the usual environment variables give them. */
export interface ProxySettings {
  /** For `http:`, as in `HTTP_PROXY`. */
  readonly http?: string | undefined
  /** For `https:`, as in `HTTPS_PROXY`. */
  readonly https?: string | undefined
  /** As in `NO_PROXY`. */
  readonly no?: string | undefined
}

/** A proxy that a URL is reached through. */
export interface HttpProxy {
  /** Without user and password, so that it can be shown. */
  readonly url: URL
  /** The variable that named it. */
  readonly variable: 'HTTP_PROXY' | 'HTTPS_PROXY'
  /** What to say in `HttpProxy-Authorization` (RFC 9110, section 11.7.2); a secret. */
  readonly authorization?: string
}

/**
 * The proxy for a URL: the one of its scheme, except for this machine's own addresses and for what `NO_PROXY` names. There
 * is none for all schemes: `ALL_PROXY` is curl's, and docker does not know it.
 *
 * @throws DrayError `USAGE` for a proxy or a `NO_PROXY` that makes no sense
 */
export function proxyFor(url: URL, { http, https, no = '' }: ProxySettings): HttpProxy | undefined {
  const isTls = url.protocol === 'https:'
  const text = (isTls ? https : http)?.trim()
  if (!text || isOfThisMachine(url) || isExcepted(url, no)) return undefined
  return parseProxy(text, isTls ? 'HTTPS_PROXY' : 'HTTP_PROXY')
}

/**
 * Loopback, and the link-local addresses where a cloud answers each machine for itself (RFC 3927; `fd00:ec2::/32` at AWS):
 * a proxy would ask its own, and see what proves who asks.
 */
export function isOfThisMachine({ hostname }: URL): boolean {
  return /^(?:localhost|(?:127\.\d+|169\.254)(?:\.\d+){2}|\[::1\]|\[fd00:ec2:[\da-f:]*\])$/.test(hostname)
}

/** Like curl and Go, takes a proxy without a scheme for one of http. */
function parseProxy(text: string, variable: HttpProxy['variable']): HttpProxy {
  const href = text.includes('://') ? text : `http://${text}`
  if (!URL.canParse(href) || !/^https?:/i.test(href)) throw senseless(variable)
  const { protocol, host, username, password } = new URL(href)
  const url = new URL(`${protocol}//${host}`)
  if (username === '' && password === '') return { url, variable }
  const login = `${decoded(username, variable)}:${decoded(password, variable)}`
  return { url, variable, authorization: `Basic ${Buffer.from(login).toString('base64')}` }
}

function decoded(text: string, variable: HttpProxy['variable']): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw senseless(variable, 'a % in its password is written %25')
  }
}

/** What is wrong is not shown, nor kept as a cause: it may hold a password. */
function senseless(variable: HttpProxy['variable'], hint = 'for example http://host:3128'): DrayError {
  return new DrayError('USAGE', `${variable} is not the URL of an HTTP proxy`, { hint })
}

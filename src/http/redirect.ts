import { DrayError } from '../errors.ts'
import { type HttpRequest, type HttpResponse, isStreamBody, type Middleware } from './message.ts'

const maxRedirects = 10

/** What another origin may see of a request: nothing that says who we are. */
const harmlessHeaders = new Set(['accept', 'accept-encoding', 'range', 'user-agent'])

/**
 * Follows redirects of GET and HEAD anywhere but from https to http, and of other methods within their origin.
 * Another origin gets no credential and no header of the user's (RFC 9110, section 15.4).
 * @throws DrayError `NETWORK` for a redirect to plain HTTP, a malformed one, or too many
 */
export function redirect(): Middleware {
  return next => async request => {
    let current = request
    for (let count = 0; count <= maxRedirects; count += 1) {
      const response = await next(current)
      const target = redirectTarget(response, current)
      if (target === undefined) return response
      await response.discard()
      current = redirected(current, target)
    }
    throw new DrayError('NETWORK', `${request.url.host} redirects more than ${maxRedirects} times`, {
      status: 302,
    })
  }
}

function redirectTarget(response: HttpResponse, request: HttpRequest): URL | undefined {
  const location = response.headers.get('location')
  const keepsMethod = response.status === 307 || response.status === 308
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (location === undefined || !(keepsMethod || (isRead && [301, 302, 303].includes(response.status)))) {
    return undefined
  }
  if (!URL.canParse(location, request.url.href)) {
    throw new DrayError('NETWORK', `${request.url.host} redirects to something that is not a URL`, {
      status: response.status,
    })
  }
  const target = new URL(location, request.url)
  target.username = ''
  target.password = ''
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && request.url.protocol === 'http:')) {
    throw new DrayError(
      'NETWORK',
      `${request.url.host} redirects from ${schemeOf(request.url)} to ${schemeOf(target)}${target.host && ` (${target.host})`}`,
      {
        status: response.status,
        hint:
          target.protocol === 'http:'
            ? 'that would show the content to the network; the registry or its proxy must be mended'
            : 'only http and https are followed; the registry or its proxy must be mended',
      },
    )
  }
  if (isRead || (target.origin === request.url.origin && !isStreamBody(request.body))) return target
  return undefined
}

function schemeOf(url: URL): string {
  return url.protocol.slice(0, -1)
}

function redirected(request: HttpRequest, target: URL): HttpRequest {
  if (target.origin === request.url.origin) return { ...request, url: target }
  const headers = Object.entries(request.headers ?? {}).filter(([name]) => harmlessHeaders.has(name))
  return { ...request, url: target, headers: Object.fromEntries(headers), scopes: undefined }
}

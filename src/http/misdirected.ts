import { readErrorText } from './error-body.ts'
import type { Middleware } from './message.ts'
import { NetworkError } from './network-error.ts'
import {
  refusesClientCertificate,
  type TlsExplanation,
  wantsClientCertificate,
  wantsTls,
} from './tls-fault.ts'

/** What servers say when not the request is wrong, but the connection that it came over. */
const signs: readonly { readonly says: RegExp; readonly means: TlsExplanation }[] = [
  { says: /No required SSL certificate was sent/, means: wantsClientCertificate }, // nginx
  { says: /The SSL certificate error/, means: refusesClientCertificate }, // nginx
  {
    // nginx, Go, Apache
    says: /plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server|plain HTTP to an SSL-enabled/,
    means: wantsTls,
  },
]

/**
 * Passes answers on, but for a 400 by which a server says that it wants TLS, or a client certificate; of such a request a
 * NetworkError is made.
 */
export const refuseMisdirected: Middleware = next => async request => {
  const response = await next(request)
  // Registries answer in JSON; these answers come from the server in front of one, or from below it.
  if (response.status !== 400 || /json/i.test(response.headers.get('content-type') ?? '')) return response
  // An answer to HEAD has no body that could say it.
  const telling = request.method === 'HEAD' ? await next({ ...request, method: 'GET' }) : response
  const text = await readErrorText(telling)
  const meant = signs.find(({ says }) => says.test(text))?.means
  if (meant !== undefined) {
    throw new NetworkError('refused-tls', `cannot reach ${request.url.host}: ${meant.why}`, {
      hint: meant.hint,
    })
  }
  return telling === response
    ? { ...response, body: textBody(text), discard: async () => undefined }
    : response
}

async function* textBody(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

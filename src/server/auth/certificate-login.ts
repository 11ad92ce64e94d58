import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Authorizer } from './authorizer.ts'
import { grantTo, type Policy } from './policy.ts'

/** The part of a client certificate that is the user's name: the subject's CN, or the one alternative name of a kind. */
export type CertificateUser = 'commonName' | 'dns' | 'email' | 'uri'

/** A client certificate is a login. A request's own credentials count before it. */
export function withCertificateLogin(
  authorizer: Authorizer,
  userIn: CertificateUser,
  policy: Policy,
): Authorizer {
  return {
    ...authorizer,
    async authorize(exchange, wanted, useful) {
      const { request } = exchange
      const user = request.headers.authorization === undefined ? certificateUser(request, userIn) : undefined
      if (user === undefined) return authorizer.authorize(exchange, wanted, useful)
      exchange.user = user
      return grantTo(user, wanted, policy)
    },
  }
}

const prefixes = { dns: 'DNS:', email: 'email:', uri: 'URI:' } as const

/** The user that the client's certificate names, undefined where it names none, or several. */
function certificateUser({ socket }: IncomingMessage, userIn: CertificateUser): string | undefined {
  const { authorized, getPeerX509Certificate } = socket as TLSSocket
  if (authorized !== true) return undefined
  const certificate = getPeerX509Certificate.call(socket)
  if (userIn === 'commonName') return onlyOne(certificate?.subject.split('\n') ?? [], 'CN=')
  return onlyOne(certificate?.subjectAltName?.split(', ') ?? [], prefixes[userIn])
}

/** Node quotes and escapes what could be taken for something else; such a name is nobody's. */
function onlyOne(names: readonly string[], prefix: string): string | undefined {
  const [name, ...others] = names
    .filter(text => text.startsWith(prefix))
    .map(text => text.slice(prefix.length))
  const isPlain = name !== undefined && others.length === 0 && /^[A-Za-z0-9._@:/ -]+$/.test(name)
  return isPlain ? name : undefined
}

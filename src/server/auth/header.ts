import type { IncomingMessage } from 'node:http'

/** What Basic credentials say. */
export interface UserAndPassword {
  readonly username: string
  readonly password: string
}

/** The name and password of an `Authorization: Basic` header (RFC 7617), or undefined where there is no such header. */
export function basicOf(request: IncomingMessage): UserAndPassword | undefined {
  const encoded = credentialsOf(request, 'basic')
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** The token of an `Authorization: Bearer` header (RFC 6750), or undefined where there is no such header. */
export function bearerOf(request: IncomingMessage): string | undefined {
  return credentialsOf(request, 'bearer')
}

/** A `WWW-Authenticate` header; parameters that are undefined are left out (RFC 9110, 11.6.1). */
export function challenge(scheme: string, parameters: Record<string, string | undefined>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return `${scheme} ${given.map(([name, value]) => `${name}=${quoted(value ?? '')}`).join(',')}`
}

function credentialsOf(request: IncomingMessage, wanted: string): string | undefined {
  const [, scheme, credentials] = /^(\S+) +(\S+) *$/.exec(request.headers.authorization ?? '') ?? []
  return scheme?.toLowerCase() === wanted ? credentials : undefined
}

function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}

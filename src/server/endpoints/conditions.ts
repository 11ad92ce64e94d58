import type { IncomingMessage } from 'node:http'
import type { Digest } from '../../oci/digest.ts'

/** The entity tag of what has this digest; a strong one, since the bytes are always the same. */
export function entityTagOf(digest: Digest): string {
  return `"${digest}"`
}

/** True when the client says that it has these bytes already (RFC 9110, 13.1.2): the answer is 304. */
export function isNotModified({ headers }: IncomingMessage, entityTag: string): boolean {
  const tags = headers['if-none-match']?.split(',').map(tag => tag.trim().replace(/^W\//, '')) ?? []
  return tags.includes(entityTag) || tags.includes('*')
}

/**
 * The `Range` that counts: that of a GET, and none where `If-Range` names other bytes (RFC 9110, 13.1.5 and 14.2), so
 * that no client puts the end of one thing behind the beginning of another.
 */
export function rangeIn({ method, headers }: IncomingMessage, entityTag: string): string | undefined {
  const condition = headers['if-range']
  return method === 'GET' && (condition ?? entityTag) === entityTag ? headers.range : undefined
}

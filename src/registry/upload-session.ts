import { DrayError } from '../errors.ts'
import type { HttpResponse } from '../http/message.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { RepositoryContext } from './context.ts'

const cancelTimeoutMs = 5_000

/** An upload session that a registry has opened. */
export interface UploadSession {
  readonly context: RepositoryContext
  readonly descriptor: Descriptor
  /** The blob, in messages. */
  readonly name: string
  readonly location: URL
  /** The registry's wish for the length of a PATCH, in bytes (`OCI-Chunk-Min-Length`). */
  readonly minChunkBytes: number
  readonly signal?: AbortSignal | undefined
}

/** The location of an upload with its digest behind whatever query it has (distribution-spec v1.1 end-6). */
export function withDigest(location: URL, { digest }: Descriptor): URL {
  const url = new URL(location)
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`
  return url
}

/**
 * Where an upload goes on: absolute or relative, with or without a query, inside `/v2/` or not. A registry behind a
 * proxy that ends TLS often names its own plain-http address; the upload stays on https then.
 */
export function uploadLocation(response: HttpResponse, name: string): URL {
  const text = response.headers.get('location') ?? ''
  const base = response.url
  if (text === '' || !URL.canParse(text, base.href)) {
    throw new DrayError('REGISTRY', `cannot upload ${name}: the registry names no place for it`)
  }
  const location = new URL(text, base)
  if (base.protocol === 'https:' && location.protocol === 'http:' && location.hostname === base.hostname) {
    location.protocol = 'https:'
    if (location.port === '80') location.port = ''
  }
  if (location.protocol !== 'https:' && location.protocol !== base.protocol) {
    throw new DrayError(
      'NETWORK',
      `cannot upload ${name}: the registry wants it sent without https to ${location.host}`,
    )
  }
  return location
}

/**
 * Ends a session (distribution's API; not in the specification). Registries differ (202, 204, 401, 405), and a
 * session that is not cancelled expires by itself, so what comes back does not matter.
 */
export async function cancelUpload({ context, location }: UploadSession): Promise<void> {
  const signal = AbortSignal.timeout(cancelTimeoutMs)
  const cancelled = context.send({ method: 'DELETE', url: location, scopes: context.scopes, signal })
  await cancelled.then(response => response.discard()).catch(() => undefined)
}

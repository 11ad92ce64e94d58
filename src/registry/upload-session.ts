import { DrayError } from '../errors.ts'
import type { HttpResponse } from '../http/message.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { nameOf, type RepositoryContext } from './context.ts'
import { expectStatus } from './registry-error.ts'

const cancelTimeoutMs = 5_000

/** An upload session that a registry has opened. */
export interface UploadSession {
  readonly context: RepositoryContext
  readonly descriptor: Descriptor
  /** The blob, in messages. */
  readonly name: string
  /** Where it goes on; many answers name a new place. */
  location: URL
  /** The registry's wish for the length of a PATCH, in bytes (`OCI-Chunk-Min-Length`). */
  readonly minChunkBytes: number
  readonly signal?: AbortSignal | undefined
}

/** @throws DrayError for an answer that does not open a session */
export async function openSession(
  started: HttpResponse,
  { context, descriptor, signal }: Pick<UploadSession, 'context' | 'descriptor' | 'signal'>,
): Promise<UploadSession> {
  const name = nameOf(context, descriptor.digest)
  await expectStatus(started, [202], `start the upload of ${name}`)
  await started.discard()
  return {
    context,
    descriptor,
    name,
    location: uploadLocation(started, name),
    minChunkBytes: Number(started.headers.get('oci-chunk-min-length') ?? 0) || 0,
    signal,
  }
}

/**
 * Asks how many bytes of the blob a session holds (distribution-spec v1.1 end-13), and where it goes on; undefined when it
 * is gone, or holds nothing, or the registry does not say.
 */
export async function findProgress(session: UploadSession): Promise<number | undefined> {
  // What is wrong with the registry shows again in the session that comes next.
  return askProgress(session).catch(() => undefined)
}

async function askProgress(session: UploadSession): Promise<number | undefined> {
  const { context, descriptor, location, name, signal } = session
  const response = await context.send({ method: 'GET', url: location, scopes: context.scopes, signal })
  await response.discard()
  if (response.status !== 204) return undefined
  const bytes = heldBytes(response) ?? 0
  if (bytes < 2 || bytes > descriptor.size) return undefined
  if (response.headers.get('location') !== undefined) session.location = uploadLocation(response, name)
  return bytes
}

/** How many bytes a registry says that it holds; undefined when it does not say. `0-0` is what some say of none. */
export function heldBytes(response: HttpResponse): number | undefined {
  const end = /^(?:bytes=)?0-(-?\d+)$/.exec(response.headers.get('range') ?? '')?.[1]
  return end === undefined ? undefined : Number(end) + 1
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
  }
  if (location.protocol !== 'https:' && location.protocol !== base.protocol) {
    throw new DrayError(
      'NETWORK',
      `cannot upload ${name}: the registry wants it sent without https to ${location.host}`,
    )
  }
  return location
}

/** What must be known of a session to end it. */
export interface CancellableUpload extends Pick<UploadSession, 'location' | 'name'> {
  readonly context: Pick<RepositoryContext, 'send' | 'scopes'>
}

/**
 * Ends a session (distribution's API; not in the specification). Registries differ (202, 204, 401, 405), and a
 * session that is not cancelled expires by itself, so what comes back does not matter in the end.
 */
export async function cancelUpload(session: CancellableUpload): Promise<void> {
  await tryCancel(session).catch(() => undefined)
}

/** Answers of a registry whose locations hold the length of the upload, when part of a body came after that. */
const outOfDate = new Set([400, 404, 416])

/**
 * A location that is out of date is asked for anew (distribution-spec v1.1 end-13). distribution 2.x gives none, and
 * keeps the session until it expires (distribution/distribution#3755).
 */
async function tryCancel({ context, location, name }: CancellableUpload): Promise<void> {
  const signal = AbortSignal.timeout(cancelTimeoutMs)
  const ask = async (method: 'DELETE' | 'GET', url: URL) => {
    const response = await context.send({ method, url, scopes: context.scopes, signal })
    await response.discard()
    return response
  }
  const cancelled = await ask('DELETE', location)
  if (!outOfDate.has(cancelled.status)) return
  const status = await ask('GET', location)
  if (status.status === 204) await ask('DELETE', uploadLocation(status, name))
}

import { DrayError } from '../errors.ts'
import { type Chunks, nothing, skip } from '../flow.ts'
import { type HttpResponse, withHeaders } from '../http/message.ts'
import type { BlobRange } from '../image-store.ts'
import { verified } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { nameOf, type RepositoryContext, repositoryRequest } from './context.ts'
import { expectStatus, registryError } from './registry-error.ts'

/**
 * The bytes of a blob (distribution-spec v1.1 end-2). Without a range they are verified as they pass; with one they
 * are not. A registry that knows no ranges is read from the start and the front left out.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`; while reading also `INTEGRITY`, `NETWORK`
 */
export async function fetchBlob(
  context: RepositoryContext,
  descriptor: Descriptor,
  range?: BlobRange,
): Promise<Chunks> {
  const name = nameOf(context, descriptor.digest)
  const start = range?.start ?? 0
  if (start > 0 && start >= descriptor.size) return nothing()
  const request = repositoryRequest(context, 'GET', `blobs/${descriptor.digest}`)
  const ranged = withHeaders(
    { ...request, isBulk: true, signal: range?.signal },
    {
      'accept-encoding': 'identity',
      range: start > 0 ? `bytes=${start}-` : undefined,
    },
  )
  const response = await context.send(ranged)
  await expectStatus(response, start > 0 ? [200, 206] : [200], `read ${name}`)
  if (response.status === 206) await checkContentRange(response, start, name)
  if (range === undefined) return verified(response.body, descriptor, name)
  return response.status === 200 && start > 0 ? skip(response.body, start) : response.body
}

/**
 * A blob's descriptor by HEAD (distribution-spec v1.1 end-2), or undefined when it is not there. `size` is what the
 * registry tells.
 * @throws DrayError `UNAUTHORIZED`, also where a registry will not say (403)
 */
export async function headBlob(
  context: RepositoryContext,
  digest: Digest,
  signal?: AbortSignal,
): Promise<Descriptor | undefined> {
  const request = { ...repositoryRequest(context, 'HEAD', `blobs/${digest}`), signal }
  const response = await context.send(withHeaders(request, { 'accept-encoding': 'identity' }))
  await response.discard()
  if (response.status === 404) return undefined
  if (response.status !== 200) throw await registryError(response, `look for ${nameOf(context, digest)}`)
  const size = Number(response.headers.get('content-length') ?? 0)
  return { mediaType: 'application/octet-stream', digest, size }
}

/** Deletes a blob (distribution-spec v1.1 end-10); few registries allow it. */
export async function deleteBlob(context: RepositoryContext, digest: Digest): Promise<void> {
  const response = await context.send({
    ...repositoryRequest(context, 'DELETE', `blobs/${digest}`),
    scopes: [],
  })
  if (response.status >= 300) throw await registryError(response, `delete ${nameOf(context, digest)}`)
  await response.discard()
}

async function checkContentRange(response: HttpResponse, start: number, name: string): Promise<void> {
  const first = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]
  if (first !== undefined && Number(first) === start) return
  await response.discard()
  throw new DrayError('INTEGRITY', `${name}: asked for the bytes from ${start}, the registry sent others`)
}

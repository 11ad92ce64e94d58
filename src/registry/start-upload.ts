import { isDrayError } from '../errors.ts'
import type { HttpRequest, HttpResponse } from '../http/message.ts'
import { repositoryScope } from '../http/scope.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { headBlob } from './blobs.ts'
import { type RepositoryContext, repositoryRequest } from './context.ts'
import { cancelUpload, openSession, type UploadSession } from './upload-session.ts'

export interface UploadOptions {
  /** Another repository of the same registry that holds the blob. */
  readonly mountFrom?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** A blob smaller than this is sent again where it is not clear whether it is there: to ask costs as much. */
const worthAskingBytes = 1024 * 1024

/**
 * Opens a session, or has the blob mounted (distribution-spec v1.1 end-4a, end-11). Where nothing else is known, the blob
 * is asked to be mounted from the repository itself: 201 says that it is there already, 202 starts the upload of a blob
 * that is not. Registries that do not tell it so are asked by HEAD; one request is then not saved.
 * @throws DrayError for an answer that does not open a session
 */
export async function startUpload(
  context: RepositoryContext,
  descriptor: Descriptor,
  { mountFrom, signal }: UploadOptions,
): Promise<UploadSession | 'mounted' | 'present'> {
  const { learnt } = context
  const isSister = mountFrom !== undefined
  const isPresent = () => tellsPresence(context, descriptor, signal)
  const isAskedFirst = !isSister && learnt.mountTellsPresence === false
  if (isAskedFirst && (await isPresent())) return 'present'
  const from = isAskedFirst ? undefined : (mountFrom ?? context.repository)
  using answered = afterwards(signal)
  const request = {
    ...repositoryRequest(context, 'POST', 'blobs/uploads/'),
    isBulk: true,
    signal: answered.signal,
  }
  const mounted =
    from === undefined ? undefined : await tryMount(context, mountRequest(request, descriptor, from))
  if (mounted?.status === 201) {
    await mounted.discard()
    if (isSister) return 'mounted'
    learnt.mountTellsPresence = true
    return 'present'
  }
  const isRefused = mounted?.status !== 202
  if (isRefused) await mounted?.discard()
  const session = await openSession(isRefused ? await context.send(request) : mounted, {
    context,
    descriptor,
    signal,
  })
  // Only now: what refuses every upload says nothing about mounts.
  if (isRefused && !isSister) learnt.mountTellsPresence = false
  const isUnclear = isSister || (learnt.mountTellsPresence !== true && descriptor.size >= worthAskingBytes)
  if (isAskedFirst || !isUnclear || !(await isPresent())) return session
  if (!isSister) learnt.mountTellsPresence = false
  await cancelUpload(session)
  return 'present'
}

/** How long the answer to a request that opens a session is waited for when the upload is not wanted any more. */
const graceMs = 2_000

/**
 * A signal that follows another one later: to leave before the answer is there would leave a session open of which
 * nobody knows where it is.
 */
function afterwards(signal: AbortSignal | undefined): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const abort = () => {
    timer = setTimeout(() => controller.abort(signal?.reason), graceMs)
  }
  if (signal?.aborted) controller.abort(signal.reason)
  signal?.addEventListener('abort', abort, { once: true })
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    },
  }
}

/** A question that fails must not leave a session open: what is wrong shows again when the blob is sent. */
function tellsPresence(
  context: RepositoryContext,
  { digest }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return headBlob(context, digest, signal).then(
    found => found !== undefined,
    () => false,
  )
}

/** A login that does not reach the other repository is no reason not to upload. */
async function tryMount(context: RepositoryContext, request: HttpRequest): Promise<HttpResponse | undefined> {
  try {
    return await context.send(request)
  } catch (error) {
    if (isDrayError(error, 'UNAUTHORIZED')) return undefined
    throw error
  }
}

function mountRequest(request: HttpRequest, descriptor: Descriptor, from: string): HttpRequest {
  const url = new URL(request.url)
  url.search = `mount=${encodeURIComponent(descriptor.digest)}&from=${encodeURIComponent(from)}`
  return { ...request, url, scopes: [...(request.scopes ?? []), repositoryScope(from, 'pull')] }
}

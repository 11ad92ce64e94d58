import { isDrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import { type HttpRequest, type HttpResponse, withHeaders } from '../http/message.ts'
import { isTransientError, isTransientStatus, parseRetryAfter, retryDelayMs } from '../http/retry.ts'
import { repositoryScope } from '../http/scope.ts'
import type { OpenContent, PutBlobResult } from '../image-store.ts'
import { checkEnd, checkSize } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { headBlob } from './blobs.ts'
import { nameOf, type RepositoryContext, repositoryRequest } from './context.ts'
import { patchPieces } from './patch-pieces.ts'
import { expectStatus, isWrongContent, RegistryError } from './registry-error.ts'
import { cancelUpload, type UploadSession, uploadLocation, withDigest } from './upload-session.ts'

export interface UploadOptions {
  /** Another repository of the same registry that holds the blob. */
  readonly mountFrom?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Answers to a PUT with a body that may mean "not in one piece" (older Artifactory, proxies with a limit). */
const refusedInOnePiece = new Set([400, 404, 405, 411, 413, 415, 416, 501])

/**
 * Brings a blob into a repository: mounted from a sister repository, else by POST and one PUT (distribution-spec v1.1
 * end-11, end-4a, end-6), else, where one PUT is refused, by PATCH in pieces (end-5). A whole session is the unit of
 * retry, since its body is a stream; a session that fails is cancelled.
 * @throws DrayError what the content's source threw, or `UNAUTHORIZED`, `NOT_FOUND`, `REGISTRY`, `NETWORK`
 */
export async function uploadBlob(
  context: RepositoryContext,
  descriptor: Descriptor,
  open: OpenContent,
  options: UploadOptions = {},
): Promise<PutBlobResult> {
  const source = watchSource(open, descriptor, nameOf(context, descriptor.digest))
  let send: SendContent = putWhole
  let mountFrom = options.mountFrom
  for (let attempt = 0; ; ) {
    const session = await startUpload(context, descriptor, { ...options, mountFrom })
    if (typeof session === 'string') return session
    mountFrom = undefined
    try {
      await send(session, source.open)
      return 'copied'
    } catch (error) {
      await cancelUpload(session)
      if (source.failure !== undefined) throw source.failure.error
      if (options.signal?.aborted) throw error
      if (send === putWhole && isRefusedInOnePiece(error)) {
        send = patchPieces
        continue
      }
      const delayMs = delayAfter(context, error, attempt)
      if (delayMs === undefined) throw error
      attempt += 1
      context.onEvent?.({ type: 'retry', name: session.name, reason: (error as Error).message, delayMs })
      await context.clock.sleep(delayMs, options.signal)
    }
  }
}

type SendContent = (session: UploadSession, open: OpenContent) => Promise<void>

/**
 * Opens a session, or has the blob mounted. A mount that a registry turns into a session (202) uses that session,
 * unless the blob turns out to be there already.
 */
async function startUpload(
  context: RepositoryContext,
  descriptor: Descriptor,
  { mountFrom, signal }: UploadOptions,
): Promise<UploadSession | 'mounted' | 'present'> {
  const name = nameOf(context, descriptor.digest)
  const request = { ...repositoryRequest(context, 'POST', 'blobs/uploads/'), signal }
  const mounted =
    mountFrom === undefined
      ? undefined
      : await tryMount(context, mountRequest(request, descriptor, mountFrom))
  if (mounted?.status === 201) {
    await mounted.discard()
    return 'mounted'
  }
  const isSession = mounted?.status === 202
  if (mounted !== undefined && !isSession) await mounted.discard()
  const started = isSession ? mounted : await context.send(request)
  await expectStatus(started, [202], `start the upload of ${name}`)
  await started.discard()
  const session: UploadSession = {
    context,
    descriptor,
    name,
    location: uploadLocation(started, name),
    minChunkBytes: Number(started.headers.get('oci-chunk-min-length') ?? 0) || 0,
    signal,
  }
  if (mountFrom === undefined || !(await isPresent(session))) return session
  await cancelUpload(session)
  return 'present'
}

/** A question that fails must not leave the session open: what is wrong shows again, and ends it, when the blob is sent. */
async function isPresent({ context, descriptor }: UploadSession): Promise<boolean> {
  return headBlob(context, descriptor.digest).then(
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
  url.searchParams.set('mount', descriptor.digest)
  url.searchParams.set('from', from)
  return { ...request, url, scopes: [...(request.scopes ?? []), repositoryScope(from, 'pull')] }
}

async function putWhole(session: UploadSession, open: OpenContent): Promise<void> {
  const { context, descriptor, location, name, signal } = session
  const request: HttpRequest = {
    method: 'PUT',
    url: withDigest(location, descriptor),
    scopes: context.scopes,
    body: { length: descriptor.size, open },
    signal,
  }
  const response = await context.send(withHeaders(request, { 'content-type': 'application/octet-stream' }))
  await expectStatus(response, [201, 204], `upload ${name}`)
  await response.discard()
}

function isRefusedInOnePiece(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false
  return refusedInOnePiece.has(error.status ?? 0) && !isWrongContent(error.registryCode)
}

function delayAfter(
  { policy, clock }: RepositoryContext,
  error: unknown,
  attempt: number,
): number | undefined {
  const isAnswer = error instanceof RegistryError && isTransientStatus(error.status ?? 0)
  if (!isAnswer && !isTransientError(error)) return undefined
  const retryAfterMs = isAnswer ? parseRetryAfter(error.retryAfter, clock.now()) : undefined
  return retryDelayMs(attempt, policy, { retryAfterMs, random: clock.random() })
}

interface WatchedSource {
  readonly open: OpenContent
  /** What the source itself threw: the true cause, which no new session would mend. */
  failure?: { readonly error: unknown }
}

function watchSource(open: OpenContent, descriptor: Descriptor, name: string): WatchedSource {
  const source: WatchedSource = {
    open: async () => {
      try {
        return watch(await open())
      } catch (error) {
        source.failure = { error }
        throw error
      }
    },
  }
  return source

  /** Holds each piece back until the next is there, so that the registry never gets the whole of a blob that is too long. */
  async function* watch(chunks: Chunks): AsyncGenerator<Uint8Array> {
    let received = 0
    let held: Uint8Array | undefined
    try {
      for await (const chunk of chunks) {
        received += chunk.length
        checkSize(received, descriptor, name)
        if (held !== undefined) yield held
        held = chunk
      }
      checkEnd(received, descriptor, name)
      if (held !== undefined) yield held
    } catch (error) {
      source.failure = { error }
      throw error
    }
  }
}

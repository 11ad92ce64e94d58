import { isDrayError } from '../errors.ts'
import { type Chunks, type Flow, flow, pour, watched } from '../flow.ts'
import { type HttpRequest, withHeaders } from '../http/message.ts'
import { NetworkError } from '../http/network-error.ts'
import { isTransientError, isTransientStatus, parseRetryAfter, retryDelayMs } from '../http/retry.ts'
import type { OpenContent, PutBlobResult } from '../image-store.ts'
import { checkEnd, checkSize } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { nameOf, type RepositoryContext } from './context.ts'
import { patchPieces } from './patch-pieces.ts'
import { expectStatus, isWrongContent, RegistryError } from './registry-error.ts'
import { startUpload, type UploadOptions } from './start-upload.ts'
import { cancelUpload, findProgress, type UploadSession, withDigest } from './upload-session.ts'

/** Answers to a PUT with a body that may mean "not in one piece" (older Artifactory, proxies with a limit). */
const refusedInOnePiece = new Set([400, 404, 405, 411, 413, 415, 416, 501])

/**
 * Brings a blob into a repository: mounted from a sister repository, else by POST and one PUT (distribution-spec v1.1
 * end-11, end-4a, end-6), else, where one PUT is refused, by PATCH in pieces (end-5). An upload that breaks goes on where
 * the registry says that it broke (end-13), or starts again where it does not say. A session that is given up is cancelled.
 * @throws DrayError what the content's source threw, or `UNAUTHORIZED`, `NOT_FOUND`, `REGISTRY`, `NETWORK`
 */
export async function uploadBlob(
  context: RepositoryContext,
  descriptor: Descriptor,
  open: OpenContent,
  options: UploadOptions = {},
): Promise<PutBlobResult> {
  const source = watchSource(open, descriptor, nameOf(context, descriptor.digest))
  const way: Way = { inPieces: false, mayResume: true, furthest: 0, attempt: 0 }
  let { mountFrom } = options
  for (;;) {
    const session = await startUpload(context, descriptor, { ...options, mountFrom })
    if (typeof session === 'string') return session
    mountFrom = undefined
    if (await carryOut(session, source, way)) return 'copied'
  }
}

/** How an upload is to go, after what it met so far. */
interface Way {
  inPieces: boolean
  mayResume: boolean
  /** The most bytes that any of its sessions was seen to hold. */
  furthest: number
  /** Failures in a row that brought it no further than that. */
  attempt: number
}

/** Sends the content within one session. False when another session is to be tried; this one is then cancelled. */
async function carryOut(session: UploadSession, source: WatchedSource, way: Way): Promise<boolean> {
  let sentBytes = 0
  for (;;) {
    try {
      if (way.inPieces || sentBytes > 0) await patchPieces(session, source.open, sentBytes)
      else await putWhole(session, source.open)
      return true
    } catch (error) {
      const heldBytes = await afterFailure(error, { session, sentBytes, source, way }).catch(async fault => {
        await cancelUpload(session)
        throw fault
      })
      if (heldBytes === undefined) {
        await cancelUpload(session)
        return false
      }
      sentBytes = heldBytes
    }
  }
}

interface Failed {
  readonly session: UploadSession
  readonly sentBytes: number
  readonly source: WatchedSource
  readonly way: Way
}

/**
 * Decides what comes after a failure, and waits for it: the byte at which the session goes on, or undefined for another
 * session.
 * @throws what is to end the upload
 */
async function afterFailure(error: unknown, failed: Failed): Promise<number | undefined> {
  const { session, sentBytes, source, way } = failed
  const { context, signal } = session
  if (source.failure !== undefined) throw source.failure.error
  if (signal?.aborted) throw error
  if (!way.inPieces && sentBytes === 0 && isRefusedInOnePiece(error)) {
    way.inPieces = true
    return undefined
  }
  const delayMs = delayAfter(context, error, way.attempt)
  if (delayMs === undefined) {
    if (sentBytes === 0 || !isRefusedResumed(error)) throw error
    // What the registry had kept of the upload was of no use to it.
    way.mayResume = false
    return undefined
  }
  way.attempt += 1
  context.onEvent?.({ type: 'retry', name: session.name, reason: (error as Error).message, delayMs })
  await context.clock.sleep(delayMs, signal)
  const heldBytes = way.mayResume ? await findProgress(session) : undefined
  if (heldBytes !== undefined && heldBytes > way.furthest) {
    way.furthest = heldBytes
    way.attempt = 0
  }
  // A session that went on and took nothing may be held by what broke before, as by a proxy that keeps it open.
  const isStuck = sentBytes > 0 && heldBytes === sentBytes
  return isStuck ? undefined : heldBytes
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

/** A session that went on where it broke, and is refused for that, or does not keep what it is sent (seen at ECR). */
function isRefusedResumed(error: unknown): boolean {
  return isDrayError(error) && error.code !== 'UNAUTHORIZED' && !(error instanceof NetworkError)
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
  const fail = (error: unknown) => {
    source.failure = { error }
  }
  const source: WatchedSource = {
    open: async (start = 0) => {
      try {
        return watched(sized(await open(start), descriptor, { name, start }), fail)
      } catch (error) {
        fail(error)
        throw error
      }
    },
  }
  return source
}

/** Holds the last piece back until the end is there, so that the registry never gets the whole of a blob that is too long. */
function sized(
  chunks: Chunks,
  descriptor: Descriptor,
  { name, start }: { readonly name: string; readonly start: number },
): Flow {
  return flow(async take => {
    let received = start
    let last: Uint8Array | undefined
    await pour(chunks, piece => {
      if (piece.length === 0) return undefined
      received += piece.length
      checkSize(received, descriptor, name)
      if (received < descriptor.size) return take(piece)
      last = Buffer.from(piece)
      return undefined
    })
    checkEnd(received, descriptor, name)
    if (last !== undefined) await take(last)
  })
}

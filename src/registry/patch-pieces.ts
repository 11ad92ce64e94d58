import { DrayError } from '../errors.ts'
import type { Chunks } from '../flow.ts'
import { type HttpResponse, withHeaders } from '../http/message.ts'
import { NetworkError } from '../http/network-error.ts'
import type { OpenContent } from '../image-store.ts'
import { expectStatus } from './registry-error.ts'
import { heldBytes, type UploadSession, uploadLocation, withDigest } from './upload-session.ts'

/** ECR wants at least 5 MB a piece; proxies that refuse a whole blob often allow 100 MB at the most. */
const pieceBytes = 32 * 1024 * 1024

/**
 * Sends a blob, or what is left of it behind `sentBytes`, by PATCH, piece after piece, and closes the session by PUT
 * (distribution-spec v1.1 end-5, end-6).
 * @throws DrayError `REGISTRY` when the registry does not take up what was sent
 */
export async function patchPieces(
  session: UploadSession,
  open: OpenContent,
  sentBytes: number,
): Promise<void> {
  const { descriptor, context, name, signal } = session
  const reader = pieceReader(await open(sentBytes))
  try {
    const step = Math.max(pieceBytes, session.minChunkBytes)
    for (let start = sentBytes; start < descriptor.size; start += step) {
      const length = Math.min(step, descriptor.size - start)
      const response = await patch(session, { start, length, chunks: reader.take(length) })
      checkProgress(response, start + length, name)
      session.location = uploadLocation(response, name)
    }
    const url = withDigest(session.location, descriptor)
    const response = await context.send({ method: 'PUT', url, scopes: context.scopes, signal })
    await expectStatus(response, [201, 204], `upload ${name}`)
    await response.discard()
  } finally {
    reader.close()
  }
}

interface Piece {
  readonly start: number
  readonly length: number
  readonly chunks: Chunks
}

async function patch(session: UploadSession, piece: Piece): Promise<HttpResponse> {
  const { context, location, name, signal } = session
  const { start, length } = piece
  const body = { length, open: onlyOnce(piece.chunks, name) }
  const request = { method: 'PATCH', url: location, scopes: context.scopes, body, signal } as const
  const headers = {
    'content-type': 'application/octet-stream',
    'content-range': `${start}-${start + length - 1}`,
  }
  const response = await expectStatus(
    await context.send(withHeaders(request, headers)),
    [201, 202, 204],
    `upload ${name}`,
  )
  await response.discard()
  return response
}

/** A piece of a stream cannot be read again; the whole session has to start anew. */
function onlyOnce(chunks: Chunks, name: string): OpenContent {
  let isOpen = false
  return async () => {
    if (isOpen) throw new NetworkError('broken', `the upload of ${name} was interrupted by a new login`)
    isOpen = true
    return chunks
  }
}

/** A registry that keeps less than it was sent would otherwise be fed for ever (seen at ECR). */
function checkProgress(response: HttpResponse, sent: number, name: string): void {
  const held = heldBytes(response) ?? sent
  if (held === sent) return
  throw new DrayError('REGISTRY', `cannot upload ${name}: the registry holds ${held} of ${sent} bytes sent`)
}

/** Gives a stream out in pieces of given lengths. */
function pieceReader(chunks: Chunks) {
  const iterator = chunks[Symbol.asyncIterator]()
  let rest: Uint8Array = new Uint8Array(0)
  return {
    async *take(length: number): AsyncGenerator<Uint8Array> {
      let left = length
      while (left > 0) {
        if (rest.length === 0) {
          const next = await iterator.next()
          if (next.done) return
          rest = next.value
        }
        const piece = rest.subarray(0, left)
        rest = rest.subarray(piece.length)
        left -= piece.length
        if (piece.length > 0) yield piece
      }
    },
    close: () => {
      // Not waited for: a source that stalls would hold up the end of the upload.
      iterator.return?.().catch(() => undefined)
    },
  }
}

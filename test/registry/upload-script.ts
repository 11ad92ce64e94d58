import type { Chunks } from '../../src/flow.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import type { Handler } from './front.ts'

/** A small blob. */
export const blob = sampleBlob('twelve bytes')
/** Opens it. */
export const open = async (): Promise<Chunks> => chunksOf('twelve', ' bytes')
/** What the URL of its PUT ends in. */
export const query = `digest=sha256%3A${blob.descriptor.digest.slice(7)}`

/** Where a blob is asked to be mounted; without `from`, from the repository itself. */
export const mountPath = ({ digest }: Descriptor, from = 'app'): string =>
  `/v2/app/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${from}`
/** How an upload starts where nothing is known of the registry. */
export const start = `POST ${mountPath(blob.descriptor)}`

/** More than one PATCH takes. */
export const big = sampleBlob(Buffer.alloc(33 * 1024 * 1024, 'big '))
/** Opens it. */
export const openBig = async (): Promise<Chunks> =>
  chunksOf(big.bytes.subarray(0, 10), big.bytes.subarray(10))

/** Answers an error as distribution does. */
export const refuse =
  (status: number, code: string): Handler =>
  async (seen, response) => {
    await seen.body()
    response.writeHead(status).end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }))
  }

/** Answers every request with nothing but a status and a location. */
export const answer =
  (status: number, location?: string, headers: Record<string, string> = {}): Handler =>
  async (seen, response) => {
    await seen.body()
    response.writeHead(status, { ...headers, ...(location === undefined ? {} : { location }) }).end()
  }

/** A registry that takes uploads, but for the requests that a test answers itself. */
export function takesUploads(own: Partial<Record<string, Handler>> = {}): Handler {
  const usual: Record<string, Handler> = {
    HEAD: answer(404),
    POST: answer(202, '/upload/1?state=a'),
    PATCH: answer(202, '/upload/2'),
    PUT: answer(201),
    DELETE: answer(204),
  }
  return (seen, response) => (own[seen.method] ?? usual[seen.method] ?? answer(405))(seen, response)
}

/** Answers the first request in one way and all others in another. */
export function first(handler: Handler, then: Handler): Handler {
  let isFirst = true
  return (seen, response) => {
    const now = isFirst ? handler : then
    isFirst = false
    return now(seen, response)
  }
}

/** A registry that keeps the bytes of an upload that was cut, and lets it go on. */
export interface KeepingRegistry {
  readonly handler: Handler
  /** What was put together of each blob that was finished. */
  readonly blobs: readonly string[]
}

/**
 * Makes one.
 * @param cuts after how many bytes the bodies of the first requests that have one are cut, in turn
 * @param own the requests that a test answers itself, from what the registry would answer
 */
export function keepsUploads(
  cuts: readonly number[],
  own: Partial<Record<string, (usual: Handler) => Handler>> = {},
): KeepingRegistry {
  const left = [...cuts]
  const blobs: string[] = []
  let sessions = 0
  let held = Buffer.alloc(0)
  const progress = () => ({
    location: `/upload/${sessions}?held=${held.length}`,
    range: `0-${Math.max(held.length - 1, 0)}`,
  })
  const take: Handler = async (seen, response) => {
    const cut = seen.headers['content-length'] === '0' ? undefined : left.shift()
    if (cut === 0) return response.destroy()
    held = Buffer.concat([held, (await seen.body()).subarray(0, cut)])
    if (cut !== undefined) return response.destroy()
    if (seen.method === 'PUT') blobs.push(held.toString())
    response.writeHead(seen.method === 'PUT' ? 201 : 202, progress()).end()
  }
  const usual: Record<string, Handler> = {
    HEAD: answer(404),
    POST: (_, response) => {
      sessions += 1
      held = Buffer.alloc(0)
      response.writeHead(202, progress()).end()
    },
    GET: (_, response) => response.writeHead(204, progress()).end(),
    PATCH: take,
    PUT: take,
    DELETE: answer(204),
  }
  const handlers = Object.entries(usual).map(([method, handler]): [string, Handler] => [
    method,
    own[method]?.(handler) ?? handler,
  ])
  const handlerOf = new Map(handlers)
  return { blobs, handler: (seen, response) => handlerOf.get(seen.method)?.(seen, response) }
}

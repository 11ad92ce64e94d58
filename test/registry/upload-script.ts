import type { Chunks } from '../../src/flow.ts'
import { chunksOf, sampleBlob } from '../support/sample-image.ts'
import type { Handler } from './front.ts'

/** A small blob. */
export const blob = sampleBlob('twelve bytes')
/** Opens it. */
export const open = async (): Promise<Chunks> => chunksOf('twelve', ' bytes')
/** What the URL of its PUT ends in. */
export const query = `digest=sha256%3A${blob.descriptor.digest.slice(7)}`

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

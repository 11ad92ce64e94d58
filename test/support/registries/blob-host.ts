import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { EmbeddedRegistry } from '../embedded-registry.ts'
import { forward } from './emulation.ts'

/** The host that a provider keeps its blobs on, beside its registry. */
export interface BlobHost {
  readonly listener: RequestListener
  /** Sends a GET or HEAD of a blob that is there to this host, by a signed URL; false for every other request. */
  redirect(request: IncomingMessage, response: ServerResponse, status?: 302 | 303 | 307): Promise<boolean>
}

const signature = 'X-Amz-Signature=5f2e'

/** Makes one. It answers to signed URLs, and refuses whoever shows a second proof (S3 and Azure both do). */
export function blobHost(host: string, store: EmbeddedRegistry): BlobHost {
  return {
    listener: async (request, response) => {
      const [path = '', query] = (request.url ?? '').split('?')
      if (request.headers.authorization !== undefined) return refuse(response, 400, 'InvalidArgument')
      if (query !== signature) return refuse(response, 403, 'AccessDenied')
      await forward(store, [request, response], { path: `/v2${path}` })
    },
    async redirect({ method, url = '' }, response, status = 307) {
      const [path = ''] = url.split('?')
      if ((method !== 'GET' && method !== 'HEAD') || !/\/blobs\/sha\d+:[0-9a-f]+$/.test(path)) return false
      if ((await store.ask('HEAD', path)).status !== 200) return false
      response
        .writeHead(status, { location: `https://${host}${path.slice('/v2'.length)}?${signature}` })
        .end()
      return true
    },
  }
}

function refuse(response: ServerResponse, status: number, code: string): void {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>not allowed</Message></Error>`
  response.writeHead(status, { 'content-type': 'application/xml' }).end(text)
}

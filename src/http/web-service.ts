import { collect } from '../oci/content.ts'
import type { AskWebService } from '../web-service.ts'
import type { Send } from './message.ts'

/** The largest answer of a web service that is read, in bytes. */
export const maxAnswerBytes = 16 * 1024 * 1024

/** Asks web services over a Send that needs no login. */
export function webService(send: Send): AskWebService {
  return async ({ method, url, headers = {}, body, signal }) => {
    const response = await send({
      method,
      url,
      headers,
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
    const bytes = await collect(response.body, maxAnswerBytes, `the answer of ${url.host}`)
    return {
      status: response.status,
      header: name => response.headers.get(name),
      body: bytes.toString('utf8'),
    }
  }
}

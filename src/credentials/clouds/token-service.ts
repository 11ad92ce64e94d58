import type * as z from 'zod/mini'
import { readAnswer, refusalError } from '../../aws/answer.ts'
import type { AskWebService, WebRequest } from '../../web-service.ts'

export interface TokenQuestionOptions<Schema extends z.ZodMiniType> {
  readonly schema: Schema
  /** Must not be in a message. */
  readonly secrets: readonly string[]
}

/**
 * Posts a form to a token service (RFC 6749, section 3.2).
 * @throws DrayError `UNAUTHORIZED`, `NOT_FOUND` or `REGISTRY` in the service's words, `NETWORK`, `INTEGRITY`
 */
export function postForm<Schema extends z.ZodMiniType>(
  ask: AskWebService,
  { url, fields }: { readonly url: URL; readonly fields: Readonly<Record<string, string>> },
  options: TokenQuestionOptions<Schema>,
): Promise<z.infer<Schema>> {
  const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams(fields).toString()
  return askForJson(ask, { method: 'POST', url, headers, body }, options)
}

/**
 * Asks a service for JSON.
 * @throws DrayError as `postForm` does
 */
export async function askForJson<Schema extends z.ZodMiniType>(
  ask: AskWebService,
  request: WebRequest,
  { schema, secrets }: TokenQuestionOptions<Schema>,
): Promise<z.infer<Schema>> {
  const answer = await ask(request)
  if (answer.status !== 200) throw refusalError(request.url.host, answer, secrets)
  return readAnswer(schema, answer, `the answer of ${request.url.host}`)
}

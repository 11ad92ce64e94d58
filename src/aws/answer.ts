import type * as z from 'zod/mini'
import { DrayError, type ErrorCode, quote } from '../errors.ts'
import type { WebAnswer } from '../web-service.ts'

/**
 * Reads an answer of the JSON shape that was asked for.
 * @param name what it is called in messages: `the answer of sts.us-east-1.amazonaws.com`
 * @throws DrayError `INTEGRITY` that tells the field, never its value
 */
export function readAnswer<Schema extends z.ZodMiniType>(
  schema: Schema,
  answer: Pick<WebAnswer, 'body'>,
  name: string,
): z.infer<Schema> {
  return checkAnswer(schema, parseJson(answer.body), name)
}

/**
 * What an answer holds, as the schema's type.
 * @param name what it is called in messages
 * @throws DrayError `INTEGRITY` that tells the field, never its value
 */
export function checkAnswer<Schema extends z.ZodMiniType>(
  schema: Schema,
  value: unknown,
  name: string,
): z.infer<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const field = result.error.issues[0]?.path.map(String).join('.')
  const where = field ? `, at ${quote(field)}` : ''
  throw new DrayError('INTEGRITY', `${name} is not of the expected form${where}`)
}

/**
 * The error for an answer that is a refusal, in the service's words. It reads AWS's JSON (`__type`, `message`) and XML
 * (`<Code>`, `<Message>`), and what the token services of other clouds say (RFC 6749, section 5.2; `error.message`;
 * `errors[]`).
 * @param who was asked: `sts.us-east-1.amazonaws.com`
 * @param secrets are blotted out, should the service repeat them
 */
export function refusalError(who: string, answer: WebAnswer, secrets: readonly string[]): DrayError {
  const { status } = answer
  const { code, message } = answer.body.trimStart().startsWith('<') ? fromXml(answer.body) : fromJson(answer)
  // `com.amazonaws.ecr#RepositoryNotFoundException:http://…`
  const [name = ''] = withoutSecrets(code ?? '', secrets)
    .replace(/^.*#/, '')
    .split(':', 1)
  // AWS's further lines show the request as it should have been signed, with the session token in it.
  const [line = ''] = withoutSecrets(message ?? '', secrets)
    .trim()
    .split(/[\r\n]/, 1)
  const said = [/^[\w.-]{1,80}$/.test(name) ? name : '', line && quote(line)].filter(part => part !== '')
  const what = `${who} ${status >= 500 ? 'failed' : 'refused'}: ${said.join(': ') || `status ${status}`}`
  return new DrayError(errorCode(status, name), what, { status })
}

/** The text of the first element of that name, in documents whose elements have no attributes there (AWS Query). */
export function xmlText(body: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1]
}

/** What AWS says of keys and tokens that are wrong, or without the right. */
const identityFault =
  /AccessDenied|UnrecognizedClient|Expired|Signature|AuthenticationToken|IdentityToken|ClientTokenId|IDPRejected/
/** The same of OAuth2's token services, with status 400 (RFC 6749, section 5.2). */
const grantFault = /^(?:invalid_grant|invalid_client|unauthorized_client|access_denied)$/

function errorCode(status: number, name: string): ErrorCode {
  if (status >= 500 || status === 429) return 'NETWORK'
  const isRefusal = status === 401 || status === 403
  if (isRefusal || identityFault.test(name) || grantFault.test(name)) return 'UNAUTHORIZED'
  return name.endsWith('NotFoundException') ? 'NOT_FOUND' : 'REGISTRY'
}

interface SaidByService {
  readonly code: string | undefined
  readonly message: string | undefined
}

function fromXml(body: string): SaidByService {
  return { code: xmlText(body, 'Code'), message: xmlText(body, 'Message') }
}

function fromJson(answer: WebAnswer): SaidByService {
  const document = recordOf(parseJson(answer.body))
  const [first] = Array.isArray(document.errors) ? document.errors : []
  const fault = { ...document, ...recordOf(first), ...recordOf(document.error) }
  return {
    code: firstText(fault.__type, answer.header('x-amzn-errortype'), fault.error, fault.status, fault.code),
    message: firstText(fault.message, fault.Message, fault.error_description),
  }
}

function firstText(...values: unknown[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value !== '')
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** JSON.parse's message quotes the text, which may hold a secret, so it is not passed on. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '***')), text)
}

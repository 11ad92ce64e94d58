import type * as z from 'zod/mini'
import { DrayError, quote } from '../../errors.ts'
import { describeErrorText } from '../../http/error-body.ts'
import type { WebAnswer, WebRequest } from '../../web-service.ts'
import { errorCodeOf } from '../registry-error.ts'
import type { ProviderAccess } from './provider.ts'

/** A question to a provider's own API, and what is said where the answer is no. */
export interface ApiRequest extends WebRequest {
  /** The `Authorization`; nobody's if not given. */
  readonly authorization?: string | undefined
  /** Reads "cannot <what>: …" in errors. */
  readonly what: string
  /** What the login may lack where it is refused (401, 403, and 404 where that hides a refusal). */
  readonly needs?: string | undefined
  /** What the request holds that must not be shown, beside its headers. */
  readonly secrets?: readonly string[] | undefined
  /** The statuses that are an answer; every 2xx if not given. */
  readonly expected?: readonly number[] | undefined
}

/**
 * Asks a provider's own API.
 * @throws DrayError by the status, in the API's words; what `ask` throws
 */
export async function askApi({ ask }: Pick<ProviderAccess, 'ask'>, request: ApiRequest): Promise<WebAnswer> {
  const { authorization, what, needs, secrets, expected, ...question } = request
  const proof = authorization === undefined ? {} : { authorization }
  const headers = { accept: 'application/json', ...question.headers, ...proof }
  const answer = await ask({ ...question, headers })
  const { status } = answer
  if (expected?.includes(status) ?? (status >= 200 && status < 300)) return answer
  throw apiError(answer, { ...request, headers })
}

/** The error for an answer that is a refusal, in the API's words. */
export function apiError(answer: WebAnswer, request: ApiRequest): DrayError {
  const { status } = answer
  const { message } = describeErrorText(answer.body, status)
  const text = `cannot ${request.what}: ${request.url.host} says: ${withoutSecrets(message, request)} (${status})`
  if (isOverLimit(answer)) return new DrayError('NETWORK', text, { status, hint: limitHint(answer) })
  return withNeeds(new DrayError(errorCodeOf(status), text, { status }), request.needs)
}

/** The error with what the login may lack as its hint, where it is a refusal. */
export function withNeeds(error: DrayError, needs: string | undefined): DrayError {
  const { code, message, status } = error
  if (needs === undefined || (code !== 'UNAUTHORIZED' && code !== 'NOT_FOUND')) return error
  return new DrayError(code, message, { hint: needs, status, cause: error })
}

/**
 * Reads an answer of the JSON shape that was asked for.
 * @throws DrayError `INTEGRITY` when it is another
 */
export function readAnswer<Schema extends z.ZodMiniType>(
  schema: Schema,
  answer: Pick<WebAnswer, 'body'>,
  what: string,
): z.infer<Schema> {
  const result = schema.safeParse(parseJson(answer.body))
  if (result.success) return result.data
  const field = result.error.issues[0]?.path.map(String).join('.')
  throw new DrayError(
    'INTEGRITY',
    `cannot ${what}: the answer is not what was asked for${field ? `, at ${quote(field)}` : ''}`,
  )
}

/** The registry's login as an `Authorization: Basic`; undefined without one, or with a token for the registry alone. */
export async function apiLogin(
  { registry, findCredential }: ProviderAccess,
  repository?: string,
): Promise<string | undefined> {
  const credential = await findCredential({ registry, repository })
  if (credential?.kind !== 'basic') return undefined
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`
}

/** The most pages of a list that are read. */
const maxPages = 10_000

/** One page of a list, and where the next is. */
export interface ApiPage<Item> {
  readonly items: readonly Item[]
  readonly next: URL | undefined
}

/**
 * The items of a list, page after page. A page that was there before ends it.
 * @throws DrayError `REGISTRY` for a page at another origin, or for pages without end; what `fetch` throws
 */
export async function* apiPages<Item>(
  first: URL,
  fetch: (url: URL) => Promise<ApiPage<Item>>,
): AsyncGenerator<Item> {
  const seen = new Set<string>()
  for (let url: URL | undefined = first; url !== undefined && !seen.has(url.href); ) {
    if (url.origin !== first.origin) {
      throw new DrayError(
        'REGISTRY',
        `${first.host} continues its list at another host, ${url.host}; not followed`,
      )
    }
    if (seen.size === maxPages) throw new DrayError('REGISTRY', `${first.host} sends pages without end`)
    seen.add(url.href)
    const page: ApiPage<Item> = await fetch(url)
    yield* page.items
    url = page.next
  }
}

/** The URL with a field of its query set; undefined where there is no value. */
export function withField(url: URL, name: string, value: string | undefined): URL | undefined {
  if (value === undefined || value === '') return undefined
  const next = new URL(url)
  next.searchParams.set(name, value)
  return next
}

/** GitHub says 403 to who asks too often. */
function isOverLimit(answer: WebAnswer): boolean {
  return answer.status === 429 || (answer.status === 403 && answer.header('x-ratelimit-remaining') === '0')
}

function limitHint(answer: WebAnswer): string {
  const seconds = Number(answer.header('x-ratelimit-reset'))
  const isTime = seconds > 1_000_000_000 && seconds < 8_640_000_000_000
  return `too many requests: wait${isTime ? ` until ${new Date(seconds * 1000).toISOString()}` : ' a while'}`
}

/** An API that shows the request it refuses would show what proves who asked. */
function withoutSecrets(message: string, { headers = {}, secrets = [] }: ApiRequest): string {
  return Object.values(headers)
    .map(value => value.replace(/^(?:Bearer|Basic|JWT) /, ''))
    .filter(value => value.length >= 8)
    .concat(secrets.filter(secret => secret !== ''))
    .reduce((text, secret) => text.replaceAll(secret, '***'), message)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message shows a part of the text; the caller says that it is not what was asked for.
    return undefined
  }
}

import * as z from 'zod/mini'
import { readAnswer, refusalError } from '../../aws/answer.ts'
import { DrayError, quote } from '../../errors.ts'
import type { AskWebService } from '../../web-service.ts'
import type { CloudContext } from './cloud.ts'
import { askForJson, postForm } from './token-service.ts'

/** A file of Google's "application default credentials" that holds no key of a service account. */
export interface GoogleKeyFile {
  /** For messages. */
  readonly name: string
  readonly type: string
  readonly text: string
}

/** An access token for Google's services. */
export interface GoogleToken {
  readonly token: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

type AskingContext = CloudContext & { readonly ask: AskWebService }

const cloudScope = 'https://www.googleapis.com/auth/cloud-platform'
const nonEmpty = z.string().check(z.minLength(1))

const userSchema = z.object({ client_id: nonEmpty, client_secret: nonEmpty, refresh_token: nonEmpty })
const tokenSchema = z.object({ access_token: nonEmpty, expires_in: z.number() })

/** Both hosts are Google's own: a file that names others must not get a token sent there. */
const externalSchema = z.object({
  audience: nonEmpty,
  subject_token_type: nonEmpty,
  token_url: z.string().check(z.regex(/^https:\/\/sts\.googleapis\.com\/[\w/-]*$/)),
  service_account_impersonation_url: z.optional(
    z.string().check(z.regex(/^https:\/\/iamcredentials\.googleapis\.com\/[\w/@.:-]*$/)),
  ),
  credential_source: z.object({
    file: z.optional(nonEmpty),
    url: z.optional(z.url({ protocol: /^https?$/ })),
    headers: z.optional(z.record(z.string(), z.string())),
    format: z.optional(z.object({ type: z.string(), subject_token_field_name: z.optional(nonEmpty) })),
  }),
})
type ExternalAccount = z.infer<typeof externalSchema>

const impersonatedSchema = z.object({ accessToken: nonEmpty, expireTime: nonEmpty })

/**
 * Trades what a key file holds for an access token: a user's refresh token, or the identity that a CI service gives its
 * job (Workload Identity Federation, AIP-4117).
 * @throws DrayError `UNSUPPORTED` for other files; `UNAUTHORIZED`, `NETWORK`, `INTEGRITY`, or what `readFile` throws
 */
export async function tradeGoogleKey(file: GoogleKeyFile, context: AskingContext): Promise<GoogleToken> {
  if (file.type === 'authorized_user') return refreshUserToken(file, context)
  if (file.type === 'external_account') return tradeIdentity(file, context)
  throw unsupported(file, `is of the type ${quote(file.type)}`)
}

async function refreshUserToken(file: GoogleKeyFile, { ask, now }: AskingContext): Promise<GoogleToken> {
  const user = readAnswer(userSchema, { body: file.text }, file.name)
  const url = new URL('https://oauth2.googleapis.com/token')
  const form = { url, fields: { grant_type: 'refresh_token', ...user } }
  const secrets = [user.client_secret, user.refresh_token]
  const startedAt = now()
  const { access_token, expires_in } = await postForm(ask, form, { schema: tokenSchema, secrets })
  return { token: access_token, expiresAt: startedAt + expires_in * 1000 }
}

/** RFC 8693, and then the service account that the identity may act for, if the file names one. */
async function tradeIdentity(file: GoogleKeyFile, context: AskingContext): Promise<GoogleToken> {
  const { ask, now } = context
  const account = readAnswer(externalSchema, { body: file.text }, file.name)
  const subject_token = await subjectToken(file, account, context)
  const form = {
    url: new URL(account.token_url),
    fields: {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: account.audience,
      scope: cloudScope,
      subject_token_type: account.subject_token_type,
      subject_token,
    },
  }
  const startedAt = now()
  const federated = await postForm(ask, form, { schema: tokenSchema, secrets: [subject_token] })
  const { access_token: token, expires_in } = federated
  const { service_account_impersonation_url: url } = account
  return url === undefined
    ? { token, expiresAt: startedAt + expires_in * 1000 }
    : impersonate(ask, new URL(url), token)
}

async function impersonate(ask: AskWebService, url: URL, token: string): Promise<GoogleToken> {
  const headers = {
    accept: 'application/json',
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
  }
  const body = JSON.stringify({ scope: [cloudScope] })
  const options = { schema: impersonatedSchema, secrets: [token] }
  const { accessToken, expireTime } = await askForJson(ask, { method: 'POST', url, headers, body }, options)
  return { token: accessToken, expiresAt: Date.parse(expireTime) }
}

/** The identity itself, from the file or the service that the key file names. */
async function subjectToken(
  file: GoogleKeyFile,
  { credential_source: source }: ExternalAccount,
  { ask, readFile }: AskingContext,
): Promise<string> {
  let text: string
  if (source.url !== undefined) text = await getIdentity(ask, new URL(source.url), source.headers)
  else if (source.file !== undefined) text = await readFile(source.file)
  else throw unsupported(file, 'names an identity that is neither in a file nor at a URL')
  if (source.format?.type !== 'json') return text.trim()
  const field = source.format.subject_token_field_name ?? 'access_token'
  const document = readAnswer(z.object({ [field]: nonEmpty }), { body: text }, `the identity of ${file.name}`)
  return document[field] ?? ''
}

async function getIdentity(ask: AskWebService, url: URL, headers: Readonly<Record<string, string>> = {}) {
  const answer = await ask({ method: 'GET', url, headers: lowerCaseNames(headers) })
  if (answer.status !== 200) throw refusalError(url.host, answer, secretsOf(headers))
  return answer.body
}

/** `Bearer`, and what stands behind it. */
function secretsOf(headers: Readonly<Record<string, string>>): string[] {
  return Object.values(headers).flatMap(value => value.split(' '))
}

function lowerCaseNames(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

function unsupported({ name }: GoogleKeyFile, why: string): DrayError {
  return new DrayError('UNSUPPORTED', `${name} ${why}, which is not supported`, {
    hint: 'set GOOGLE_OAUTH_ACCESS_TOKEN to what "gcloud auth print-access-token" prints',
  })
}

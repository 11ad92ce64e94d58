import * as z from 'zod/mini'
import type { AskWebService, WebRequest } from '../web-service.ts'
import { readAnswer, refusalError } from './answer.ts'

/** What proves to AWS who asks. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Belongs to temporary keys. */
  readonly sessionToken?: string | undefined
}

/** One call of an AWS service that speaks JSON 1.1. */
export interface AwsCall {
  readonly host: string
  readonly region: string
  /** The name that requests are signed for: `ecr`. */
  readonly service: string
  /** `AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken` */
  readonly target: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly credentials: AwsCredentials
  /** Milliseconds since 1970; this machine's clock if not given. */
  readonly now?: (() => number) | undefined
}

/**
 * Calls an AWS service and gives the JSON object that it answers.
 * @throws DrayError `UNAUTHORIZED`, `NOT_FOUND` or `REGISTRY` in the service's words, `NETWORK` where it has a fault,
 * `INTEGRITY` for an answer that is no JSON object; what `ask` throws
 */
export async function callAws(ask: AskWebService, call: AwsCall): Promise<Record<string, unknown>> {
  const { host, credentials } = call
  const answer = await ask(
    await signRequest(
      {
        method: 'POST',
        url: new URL(`https://${host}/`),
        headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': call.target },
        body: JSON.stringify(call.payload),
      },
      call,
    ),
  )
  if (answer.status === 200)
    return readAnswer(z.record(z.string(), z.unknown()), answer, `the answer of ${host}`)
  throw refusalError(host, answer, [credentials.secretAccessKey, credentials.sessionToken ?? ''])
}

/** The request with the headers of Signature Version 4, which vouch for all of its headers and its body. */
export async function signRequest(
  request: WebRequest,
  {
    credentials,
    region,
    service,
    now = Date.now,
  }: Pick<AwsCall, 'credentials' | 'region' | 'service' | 'now'>,
): Promise<WebRequest> {
  const { AwsV4Signer } = await import('aws4fetch')
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const signer = new AwsV4Signer({
    method: request.method,
    url: request.url.href,
    headers: { ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    accessKeyId,
    secretAccessKey,
    ...(sessionToken ? { sessionToken } : {}),
    region,
    service,
    datetime: new Date(now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    // Without this, content-type would be left out.
    allHeaders: true,
  })
  const { headers } = await signer.sign()
  return { ...request, headers: Object.fromEntries(headers) }
}

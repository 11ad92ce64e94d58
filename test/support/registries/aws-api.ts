import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { EmbeddedRegistry } from '../embedded-registry.ts'
import { answerJson } from './emulation.ts'
import { storedImages, storedRepositories } from './stored-images.ts'

/** AWS keys as its own examples have them. */
export const awsKeys = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}

/** One of AWS's APIs that speak JSON 1.1. */
export interface AwsApi {
  readonly service: 'ecr' | 'ecr-public'
  readonly region: string
  /** What stands in front of an action in `X-Amz-Target`. */
  readonly target: string
  readonly actions: Readonly<Record<string, (payload: Payload) => Promise<unknown>>>
}

/** What an action is given. */
export type Payload = Readonly<Record<string, unknown>>

/** A refusal, thrown by an action. */
export class AwsRefusal extends Error {
  readonly type: string

  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

/** What GetAuthorizationToken gives: a login that is good for twelve hours. */
export function authorizationGrant(credential: { username: string; password: string }): object {
  const text = `${credential.username}:${credential.password}`
  const expiresAt = Date.now() / 1000 + 12 * 60 * 60
  return { authorizationToken: Buffer.from(text).toString('base64'), expiresAt }
}

/** Answers for such an API. Whose keys a request was signed with, for when and for what, is looked at. */
export function awsApi({ service, region, target, actions }: AwsApi): RequestListener {
  return async (request, response) => {
    const refuse = (type: string, message: string) => answerAws(response, 400, { __type: type, message })
    const scope = new RegExp(
      `^AWS4-HMAC-SHA256 Credential=${awsKeys.AWS_ACCESS_KEY_ID}/\\d{8}/${region}/${service}/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}$`,
    )
    if (!scope.test(request.headers.authorization ?? '')) {
      return refuse('UnrecognizedClientException', 'The security token included in the request is invalid.')
    }
    const action = actions[actionOf(request, target)]
    if (action === undefined) return refuse('UnknownOperationException', 'unknown operation')
    try {
      answerAws(response, 200, await action((await json(request)) as Payload))
    } catch (error) {
      if (!(error instanceof AwsRefusal)) throw error
      refuse(error.type, error.message)
    }
  }
}

function actionOf({ method, headers }: IncomingMessage, target: string): string {
  const [prefix, action = ''] = String(headers['x-amz-target']).split('.')
  return method === 'POST' && prefix === target ? action : ''
}

function answerAws(response: ServerResponse, status: number, body: unknown): void {
  answerJson(response, status, body, { 'content-type': 'application/x-amz-json-1.1' })
}

interface Identifier {
  readonly imageTag?: string
  readonly imageDigest?: string
}

/**
 * BatchDeleteImage over the registry behind: a tag goes alone, and its image with the last of them; a digest goes with
 * all its tags.
 */
export async function batchDelete(
  store: EmbeddedRegistry,
  repository: string,
  payload: Payload,
): Promise<unknown> {
  const imageIds: Identifier[] = []
  const failures: unknown[] = []
  for (const imageId of payload.imageIds as Identifier[]) {
    const images = await storedImages(store, repository)
    const image = images.find(
      ({ digest, tags }) => digest === imageId.imageDigest || tags.includes(imageId.imageTag ?? ''),
    )
    if (image === undefined) {
      failures.push({ imageId, failureCode: 'ImageNotFound', failureReason: 'Requested image not found' })
      continue
    }
    const isWhole = imageId.imageTag === undefined || image.tags.length === 1
    await store.ask('DELETE', `/v2/${repository}/manifests/${isWhole ? image.digest : imageId.imageTag}`)
    const { imageTag } = imageId
    imageIds.push({ imageDigest: image.digest, ...(imageTag === undefined ? {} : { imageTag }) })
  }
  return { imageIds, failures }
}

/** DescribeRepositories over the registry behind, one a page. */
export async function describe(
  store: EmbeddedRegistry,
  payload: Payload,
  describeOne: (name: string) => unknown,
): Promise<unknown> {
  const names = await storedRepositories(store)
  const start = Number(payload.nextToken ?? 0)
  const nextToken = start + 1 < names.length ? { nextToken: String(start + 1) } : {}
  return { repositories: names.slice(start, start + 1).map(describeOne), ...nextToken }
}

import * as z from 'zod/mini'
import { checkAnswer } from '../../aws/answer.ts'
import { awsCredentials } from '../../aws/credentials.ts'
import { ecrCall } from '../../aws/ecr-call.ts'
import { parseEcrRegistry } from '../../aws/ecr-registry.ts'
import { DrayError, isDrayError } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import { manifestAccept } from '../../oci/media-types.ts'
import type { GoneWithTag, ProviderAccess, TagToDelete } from './provider.ts'

/** The API of Amazon ECR or ECR Public, for one purpose. */
export interface EcrApi {
  /** The account that the registry belongs to, where its name tells: for calls that would else go to the keys' own. */
  readonly registryId: string | undefined
  call<Schema extends z.ZodMiniType>(
    schema: Schema,
    action: string,
    payload: Readonly<Record<string, unknown>>,
  ): Promise<z.infer<Schema>>
  /** Reads "cannot <what>: …" in errors. */
  readonly what: string
}

/**
 * Opens it with the AWS keys of the environment: the registry's own password is of no use there.
 * @param byHand what does the same with `aws`, the program
 * @throws DrayError `UNAUTHORIZED` without keys
 */
export async function openEcrApi(access: ProviderAccess, what: string, byHand: string): Promise<EcrApi> {
  const { env, ask } = access
  const registry = parseEcrRegistry(access.registry)
  const credentials = registry && (await awsCredentials({ env, readFile: readTokenFile, ask }, registry))
  if (registry === undefined || credentials === undefined) {
    throw new DrayError(
      'UNAUTHORIZED',
      `cannot ${what}: that needs AWS keys, which the environment does not have`,
      {
        hint: `set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use: ${byHand}`,
      },
    )
  }
  return {
    registryId: registry.account,
    what,
    async call(schema, action, payload) {
      const answer = await ecrCall(ask, { registry, credentials, action, payload }).catch(error => {
        throw isDrayError(error) ? explained(error, what, `${registry.service}:${action}`) : error
      })
      return checkAnswer(schema, answer, registry.apiHost)
    },
  }
}

function explained(error: DrayError, what: string, right: string): DrayError {
  const hint =
    error.code === 'UNAUTHORIZED' ? `the AWS keys must be right, and need the right ${right}` : error.hint
  return new DrayError(error.code, `cannot ${what}: ${error.message}`, {
    hint,
    status: error.status,
    cause: error,
  })
}

/** The token of a web identity is a JWT. */
const maxTokenBytes = 64 * 1024

async function readTokenFile(path: string): Promise<string> {
  const { open } = await import('node:fs/promises')
  try {
    await using file = await open(path, 'r')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxTokenBytes))
    return buffer.subarray(0, bytesRead).toString('utf8')
  } catch (cause) {
    throw new DrayError('IO', `cannot read ${path}, which the environment names as a token for AWS`, {
      cause,
    })
  }
}

/** An image, as the API wants it: by its tag, which is then all that goes, or by its digest, with all its tags. */
export type ImageIdentifier = { readonly imageTag: string } | { readonly imageDigest: Digest }

const deleted = z.looseObject({
  failures: z.optional(
    z.array(z.looseObject({ failureCode: z.optional(z.string()), failureReason: z.optional(z.string()) })),
  ),
})

/**
 * Deletes one image or tag (BatchDeleteImage).
 * @param name the repository's name as the API knows it
 * @throws DrayError `NOT_FOUND`, `UNSUPPORTED` for an image that an index lists, `REGISTRY`
 */
export async function batchDeleteImage(api: EcrApi, name: string, image: ImageIdentifier): Promise<void> {
  const { registryId, what } = api
  const { failures = [] } = await api.call(deleted, 'BatchDeleteImage', {
    ...(registryId === undefined ? {} : { registryId }),
    repositoryName: name,
    imageIds: [image],
  })
  const [failure] = failures
  if (failure === undefined) return
  const { failureCode = 'an unknown failure', failureReason = '' } = failure
  const code =
    failureCode === 'ImageNotFound'
      ? 'NOT_FOUND'
      : failureCode === 'ImageReferencedByManifestList'
        ? 'UNSUPPORTED'
        : 'REGISTRY'
  throw new DrayError(code, `cannot ${what}: ${failureReason || 'Amazon refuses'} (${failureCode})`, {
    hint: code === 'UNSUPPORTED' ? 'delete the index that lists it first' : undefined,
  })
}

/** What went with a tag: an image goes with the last of its tags, which only shows by looking for it. */
export async function goneWith(
  { url, send }: ProviderAccess,
  { repository, tag, digest }: TagToDelete,
): Promise<GoneWithTag> {
  const manifest = new URL(`v2/${repository}/manifests/${digest}`, url)
  const response = await send({ method: 'HEAD', url: manifest, headers: { accept: manifestAccept } })
  await response.discard()
  return { tags: [tag], manifest: response.status === 404 }
}

const repositoryPage = z.looseObject({
  repositories: z.array(z.looseObject({ repositoryName: z.string(), repositoryUri: z.string() })),
  nextToken: z.optional(z.nullable(z.string())),
})

/** The most that one page may have, and the most pages that are read. */
const pageSize = 1000
const maxPages = 1000

/** The repositories of an account as they stand in references (DescribeRepositories), without the registry. */
export async function* describeRepositories(api: EcrApi): AsyncGenerator<string> {
  const { registryId } = api
  const seen = new Set<string>()
  for (let token: string | undefined = ''; token !== undefined && !seen.has(token); ) {
    if (seen.size === maxPages) throw new DrayError('REGISTRY', `cannot ${api.what}: the list has no end`)
    seen.add(token)
    const page: z.infer<typeof repositoryPage> = await api.call(repositoryPage, 'DescribeRepositories', {
      ...(registryId === undefined ? {} : { registryId }),
      maxResults: pageSize,
      ...(token === '' ? {} : { nextToken: token }),
    })
    for (const { repositoryUri } of page.repositories)
      yield repositoryUri.slice(repositoryUri.indexOf('/') + 1)
    token = page.nextToken ?? undefined
  }
}

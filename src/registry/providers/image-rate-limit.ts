import { repositoryScope } from '../../http/scope.ts'
import { manifestAccept } from '../../oci/media-types.ts'
import { parseRateLimit, type RateLimit } from '../rate-limit.ts'
import { expectStatus } from '../registry-error.ts'
import type { ProviderAccess } from './provider.ts'

/**
 * The limit that comes with HEAD of an image, which no registry counts; undefined when there is none. A limit that is
 * used up (429) is an answer too.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`
 */
export async function imageRateLimit(
  { registry, url, send }: ProviderAccess,
  repository: string,
  reference: string,
): Promise<RateLimit | undefined> {
  const response = await send({
    method: 'HEAD',
    url: new URL(`v2/${repository}/manifests/${reference}`, url),
    headers: { accept: manifestAccept },
    scopes: [repositoryScope(repository, 'pull')],
  })
  await response.discard()
  const limit = parseRateLimit(response.headers, Date.now())
  if (response.status === 429 && limit !== undefined) return limit
  await expectStatus(response, [200], `read the rate limit of ${registry}`)
  return limit
}

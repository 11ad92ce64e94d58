import { imageRateLimit } from './providers/image-rate-limit.ts'
import { parseRateLimit, type RateLimit } from './rate-limit.ts'
import type { Registry } from './registry.ts'
import { expectStatus } from './registry-error.ts'

/** An image whose limit is asked for. */
export interface LimitedImage {
  /** Without the registry: `library/alpine`. */
  readonly repository: string
  /** A tag or digest. */
  readonly reference: string
}

/**
 * The limit that a registry sets for this login, in general or for one image: Docker Hub, for one, sets none for those
 * of its sponsored publishers. Undefined means unlimited. Asks by HEAD, which no registry counts.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`
 */
export async function readRateLimit(
  registry: Registry,
  image?: LimitedImage,
): Promise<RateLimit | undefined> {
  const { provider, access } = await registry.provider()
  if (image !== undefined) return imageRateLimit(access, image.repository, image.reference)
  if (provider.rateLimit) return provider.rateLimit(access)
  const response = await access.send({ method: 'HEAD', url: new URL('v2/', access.url) })
  await response.discard()
  // Some know no HEAD there, or nothing but images; they tell their limits all the same.
  await expectStatus(response, [200, 404, 405, 429], `read the rate limit of ${access.registry}`)
  return parseRateLimit(response.headers, Date.now())
}

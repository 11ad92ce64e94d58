import { hostPlatform, type Platform } from '../oci/platform.ts'
import type { OpenSource } from './stored-places.ts'

/**
 * The platform of an index that an engine is to load, which takes one: this machine's, or the only one that there is.
 * Undefined for an image that is no index. To learn when all is there already that there is none would be a waste.
 * @throws DrayError `NOT_FOUND` where several are there and this machine's is not
 */
export async function enginePlatform({ store, reference }: OpenSource): Promise<Platform | undefined> {
  const { findPlatform, isPlatformImage, noPlatform } = await import('../transfer/platform-choice.ts')
  const root = await store.getManifest(await store.resolve(reference))
  if (root.kind !== 'index') return undefined
  const [first, ...others] = root.content.manifests.filter(isPlatformImage)
  if (others.length === 0) return first?.platform
  const platform = hostPlatform()
  if (findPlatform(root.content, platform) !== undefined) return platform
  throw noPlatform(root.content.manifests, [platform], `${store.name}@${root.digest}`)
}

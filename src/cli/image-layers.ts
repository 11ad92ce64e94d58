import type { ImageLayers } from '../filesystem/image-layers.ts'
import { hostPlatform, type Platform } from '../oci/platform.ts'
import type { Retry } from '../transfer/read-blob.ts'
import type { CliContext } from './context.ts'
import type { Location } from './location.ts'
import * as options from './options.ts'
import type { Session } from './session.ts'
import { formatDuration } from './units.ts'

/** What of an image is to be looked into. */
export interface ImageLayersFlags {
  readonly platform?: readonly Platform[]
  readonly layer?: string
}

export interface OpenImageLayersOptions {
  readonly session: Session
  readonly context: CliContext
  /** Compare the uncompressed layers with what the config says, where they are read to their end. */
  readonly verifiesContent?: boolean
}

/**
 * The layers of the image at a location, or the one that `--layer` names.
 * @throws DrayError `UNSUPPORTED` for what is no container image; `NOT_FOUND`
 */
export async function openImageLayers(
  location: Location,
  flags: ImageLayersFlags,
  { session, context, verifiesContent = false }: OpenImageLayersOptions,
): Promise<ImageLayers> {
  const platform = options.onePlatform(flags.platform)
  const { findImage } = await import('../transfer/find-image.ts')
  const { layersOf, oneLayer, withDiffIds } = await import('../filesystem/image-layers.ts')
  const { store, reference } = await session.openSource(location, options.endFlags(flags))
  const onRetry = ({ name, reason, delayMs }: Retry) =>
    session.say(`${name}: ${reason}; trying again in ${formatDuration(delayMs)}`)
  const reading = { signal: context.signal, onRetry }
  const { image } = await findImage(store, reference, { platform, preferred: hostPlatform(), reading })
  const all = layersOf(store, image, reading)
  const layers = verifiesContent ? await withDiffIds(all, image) : all
  return flags.layer === undefined ? layers : oneLayer(layers, flags.layer)
}

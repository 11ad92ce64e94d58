import { DrayError, isDrayError } from '../errors.ts'
import { DigestCounter } from '../oci/digest.ts'
import { isForeignLayerType } from '../oci/media-types.ts'
import { decompressed } from '../tar/decompress.ts'
import { readTar } from '../tar/read-tar.ts'
import type { TarItem } from '../tar/tar-header.ts'
import { blobName, readBlob } from '../transfer/read-blob.ts'
import type { ImageLayers, Layer } from './image-layers.ts'

/**
 * The bytes of a layer without its compression. Blob and content are verified as they pass, and to the end only where
 * they are read to the end; the transfer ends at once when the reader leaves early.
 * @throws DrayError `INTEGRITY` for other content than the manifest and the config say; what reading the blob throws
 */
export async function* layerBytes(
  { source, reading = {} }: ImageLayers,
  { descriptor, diffId }: Layer,
): AsyncGenerator<Uint8Array, void> {
  const name = blobName(source, descriptor)
  const leaving = new AbortController()
  const signals = [reading.signal ?? [], leaving.signal].flat()
  const blob = readBlob(source, descriptor, { ...reading, signal: AbortSignal.any(signals) })
  const counter = diffId && new DigestCounter()
  try {
    const { content } = await decompressed(blob, { name })
    for await (const piece of content) {
      counter?.add(piece)
      let isLeft = true
      try {
        yield piece
        isLeft = false
      } finally {
        // Before the stream is closed, which would wait for what comes next.
        if (isLeft) leaving.abort(new DrayError('ABORTED', 'the reader has left'))
      }
    }
  } catch (error) {
    throw isDrayError(error, 'NOT_FOUND') && isForeignLayerType(descriptor.mediaType)
      ? new DrayError('NOT_FOUND', `${name}: a foreign layer, which is not in the registry`, { cause: error })
      : error
  }
  const digest = counter?.digest()
  if (digest === diffId) return
  throw new DrayError('INTEGRITY', `${name}: the uncompressed content has digest ${digest}, not ${diffId}`)
}

/**
 * The entries of a layer in its order, and their places in it, from 0 on.
 * @throws DrayError what `layerBytes` and `readTar` throw
 */
export async function* layerItems(
  image: ImageLayers,
  layer: Layer,
): AsyncGenerator<{ readonly item: TarItem; readonly ordinal: number }, void> {
  let ordinal = 0
  const name = blobName(image.source, layer.descriptor)
  for await (const item of readTar(layerBytes(image, layer), { name })) {
    yield { item, ordinal }
    ordinal += 1
  }
}

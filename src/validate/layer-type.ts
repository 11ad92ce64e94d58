import type { Compression } from '../tar/compression.ts'

const prefixes = [
  'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.docker.image.rootfs.diff.tar',
  'application/vnd.docker.image.rootfs.foreign.diff.tar',
]
const endings: Readonly<Record<string, Compression>> = {
  '': 'none',
  '+gzip': 'gzip',
  '.gzip': 'gzip',
  '+zstd': 'zstd',
  '.zstd': 'zstd',
}

/**
 * How a layer of this media type is compressed (image-spec v1.1, layer.md; Docker's image manifest version 2, schema 2);
 * undefined for what is no layer of a filesystem.
 */
export function layerCompression(mediaType: string): Compression | undefined {
  const prefix = prefixes.find(prefix => mediaType.startsWith(prefix))
  return prefix === undefined ? undefined : endings[mediaType.slice(prefix.length)]
}

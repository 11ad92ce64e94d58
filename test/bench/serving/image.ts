import { randomBytes } from 'node:crypto'
import { type NamedContent, small } from './content.ts'

/** The type of the manifests that are made here. */
export const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** What is pushed, in the order in which it is. */
export interface Image {
  readonly blobs: readonly NamedContent[]
  readonly manifest: NamedContent
}

/** An image of one layer of 1 KB; with `like` it has that one's blobs. */
export function makeImage(number: number, like?: Image): Image {
  const blobs = like?.blobs ?? [small('{}'), small(randomBytes(1024))]
  const [config, layer] = blobs.map(({ digest, bytes }) => ({ digest, size: bytes }))
  const document = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
    annotations: { number: String(number) },
  }
  return { blobs, manifest: small(JSON.stringify(document)) }
}

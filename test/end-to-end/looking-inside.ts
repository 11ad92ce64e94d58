import type { TestImage } from '../filesystem/layers.ts'
import type { EmbeddedRegistry } from '../support/embedded-registry.ts'

/** Puts an image of layers into a registry. Returns how to call it. */
export async function pushImage(registry: EmbeddedRegistry, name: string, image: TestImage): Promise<string> {
  for (const blob of [...image.blobs, image.config]) await registry.putBlob(name, blob)
  const { mediaType, bytes } = image.manifest
  const headers = { 'Content-Type': mediaType }
  const { status } = await registry.ask('PUT', `/v2/${name}/manifests/latest`, { headers, body: bytes })
  if (status !== 201) throw new Error(`${status} for the manifest of ${name}`)
  return `${registry.host}/${name}:latest`
}

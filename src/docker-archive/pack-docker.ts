import type { IndexDocument } from '../layout/index-document.ts'
import type { LayoutFiles } from '../layout/layout-files.ts'
import { packLayout } from '../layout/pack-layout.ts'
import { algorithmOf, type Digest, hexOf } from '../oci/digest.ts'
import { descriptorOf } from '../oci/manifest.ts'
import { mediaTypes } from '../oci/media-types.ts'
import type { TarWriter } from '../tar/tar-writer.ts'
import { imageNameKey } from './original-manifests.ts'
import { addFile, type NamedImage, splitName } from './packed-image.ts'

/**
 * Writes images as docker 25 and later do: an OCI image layout with manifests, configs and layers as they are, and
 * manifest.json, by which older engines and other programs find the same files. The same images give the same bytes.
 * @throws DrayError what the reading of the files throws; `ABORTED`
 */
export async function packDocker(
  images: readonly NamedImage[],
  { files, tar, signal }: { files: LayoutFiles; tar: TarWriter; signal?: AbortSignal | undefined },
): Promise<void> {
  const { indexPath, blobs } = files
  await packLayout({ indexPath, blobs, index: async () => indexOf(images) }, tar, signal)
  await addFile(tar, 'manifest.json', JSON.stringify(images.map(itemOf)))
}

/** As containerd names images: in full, beside the tag alone. */
function indexOf(images: readonly NamedImage[]): IndexDocument {
  const manifests = images.flatMap(({ root, names }) => {
    const descriptor = descriptorOf(root)
    if (names.length === 0) return [descriptor]
    return names.map(name => ({
      ...descriptor,
      annotations: { [imageNameKey]: name, 'org.opencontainers.image.ref.name': splitName(name).tag },
    }))
  })
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
}

function itemOf({ manifest, names }: NamedImage): object {
  return {
    Config: pathOf(manifest.config.digest),
    RepoTags: names,
    Layers: manifest.layers.map(({ digest }) => pathOf(digest)),
  }
}

function pathOf(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
}

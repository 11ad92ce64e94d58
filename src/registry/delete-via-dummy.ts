import { DrayError, isDrayError } from '../errors.ts'
import { digestOf } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { parseManifest } from '../oci/parse-manifest.ts'
import type { Repository } from './repository.ts'

/**
 * Deletes a tag alone where a registry deletes by digest only (distribution 2.x): the tag is moved to an image that
 * nothing else stands for, and that image is deleted. Whether the registry deletes at all is tried out on the image before
 * the tag is moved.
 * @throws DrayError `UNSUPPORTED` when the registry deletes nothing; the tag is as it was then
 */
export async function deleteViaDummy(repository: Repository, tag: string): Promise<void> {
  const dummy = await pushDummy(repository)
  await repository.delete(dummy.digest)
  await repository.putManifest(dummy, [tag])
  try {
    await repository.delete(dummy.digest)
  } catch (error) {
    if (!isDrayError(error)) throw error
    throw new DrayError(
      error.code,
      `${error.message}; ${repository.name}:${tag} now stands for an empty image`,
      {
        hint: `delete ${repository.name}@${dummy.digest}`,
        cause: error,
        status: error.status,
      },
    )
  }
}

const emptyConfig = Buffer.from('{}')

/** Different each time, so that no other tag can stand for it. */
async function pushDummy(repository: Repository): Promise<Manifest> {
  const config = {
    mediaType: mediaTypes.ociConfig,
    digest: digestOf(emptyConfig),
    size: emptyConfig.length,
  }
  const dummy = parseManifest(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config,
        layers: [],
        annotations: { 'org.opencontainers.image.description': `to be deleted: ${crypto.randomUUID()}` },
      }),
    ),
  )
  await repository.putBlob(config, async () => content())
  await repository.putManifest(dummy)
  return dummy
}

async function* content() {
  yield emptyConfig
}

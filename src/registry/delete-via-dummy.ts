import { DrayError, isDrayError } from '../errors.ts'
import { digestOf } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { parseManifest } from '../oci/parse-manifest.ts'
import { unknownProvider } from './providers/known-providers.ts'
import type { Repository } from './repository.ts'

/**
 * Deletes a tag alone where a registry deletes by digest only (distribution 2.x): the tag is moved to an image that
 * nothing else stands for, and that image is deleted. Whether the registry deletes at all is tried out on another such image
 * before the tag is moved.
 * @throws DrayError `UNSUPPORTED` when the registry deletes nothing; the tag is as it was then
 */
export async function deleteViaDummy(repository: Repository, tag: string): Promise<void> {
  await tryDeleting(repository, tag)
  const { digest } = await pushDummy(repository, [tag])
  try {
    await repository.delete(digest)
  } catch (error) {
    if (!isDrayError(error)) throw error
    throw new DrayError(
      error.code,
      `${error.message}; ${repository.name}:${tag} now stands for an empty image`,
      {
        hint: `delete ${repository.name}@${digest}`,
        cause: error,
        status: error.status,
      },
    )
  }
}

async function tryDeleting(repository: Repository, tag: string): Promise<void> {
  const { digest } = await pushDummy(repository)
  try {
    await repository.delete(digest)
  } catch (error) {
    if (!isDrayError(error, 'UNSUPPORTED')) throw error
    const { known } = await repository.provider()
    throw new DrayError(
      'UNSUPPORTED',
      `${repository.name}:${tag} is not deleted: this registry deletes nothing`,
      {
        hint: known.deleteHint ?? unknownProvider.deleteHint,
        cause: error,
        status: error.status,
      },
    )
  }
}

const emptyConfig = Buffer.from('{}')

/** Different each time, so that no other tag can stand for it. */
async function pushDummy(repository: Repository, tags: readonly string[] = []): Promise<Manifest> {
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
  await repository.putManifest(dummy, tags)
  return dummy
}

async function* content() {
  yield emptyConfig
}

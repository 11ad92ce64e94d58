import { DrayError, isDrayError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { defaultTag } from '../oci/reference.ts'
import type { Repository } from '../registry/repository.ts'

/** An image that can be asked for. */
export interface KnownImage {
  /** What it was asked for by. */
  readonly reference: string
  readonly descriptor: Descriptor
}

/**
 * What a tag or digest stands for, by HEAD. Where none was named and there is no `latest`, any tag will do.
 * @throws DrayError `NOT_FOUND`, `UNAUTHORIZED`
 */
export async function knownImage(repository: Repository, reference?: string): Promise<KnownImage> {
  const asked = reference ?? defaultTag
  try {
    return { reference: asked, descriptor: await repository.resolve(asked) }
  } catch (error) {
    if (!isDrayError(error, 'NOT_FOUND')) throw error
    const tags = await someTags(repository)
    const [tag] = tags
    if (tag !== undefined && reference === undefined) {
      return { reference: tag, descriptor: await repository.resolve(tag) }
    }
    const others = `the repository has other tags: ${tags.join(', ')}`
    const hint = tag === undefined ? 'is the name right? no tags of this repository are to be seen' : others
    throw new DrayError('NOT_FOUND', error.message, { hint, cause: error, status: error.status })
  }
}

const maxTags = 5

/** None where they cannot be listed: that the image is absent says enough. */
async function someTags(repository: Repository): Promise<string[]> {
  const tags: string[] = []
  try {
    for await (const tag of repository.tags(maxTags)) if (tags.push(tag) === maxTags) break
  } catch (error) {
    if (!isDrayError(error) || error.code === 'ABORTED') throw error
  }
  return tags
}

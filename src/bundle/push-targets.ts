import { DrayError } from '../errors.ts'
import type { Digest } from '../oci/digest.ts'
import { repositoryFault } from '../oci/reference.ts'
import type { StoredImage } from './contents.ts'
import { formatImageName } from './image-name.ts'

/** An image, and where it goes to. */
export interface PushTarget {
  readonly image: StoredImage
  /** What it is called in messages. */
  readonly name: string
  /** Undefined where it cannot go anywhere. */
  readonly repository: string | undefined
  /** Why not. */
  readonly fault?: DrayError
}

export interface PushTargetsOptions {
  /** Keep the name of the registry in the path. */
  readonly scoped?: boolean | undefined
}

/**
 * Where images with names go below a prefix: `docker.io/library/alpine:3.20` to `PREFIX/library/alpine`, and what has a tag
 * alone to the prefix itself. One that has no name has no place.
 * @param prefix a part of a repository's path; undefined for none
 * @throws DrayError `USAGE` where two images would have the same name
 */
export function pushTargets(
  images: readonly StoredImage[],
  prefix: string | undefined,
  { scoped = false }: PushTargetsOptions = {},
): readonly PushTarget[] {
  const taken = new Map<string, { readonly digest: Digest; readonly name: string }>()
  return images.map(image => {
    const name = formatImageName(image.name) ?? image.descriptor.digest
    const repository = repositoryBelow(prefix, image, scoped)
    const fault = faultOf(repository, name)
    if (fault !== undefined) return { image, name, repository: undefined, fault }
    const { digest } = image.descriptor
    const key = `${repository}:${image.name.tag ?? digest}`
    const other = taken.get(key)
    if (other !== undefined && other.digest !== digest) {
      throw new DrayError('USAGE', `${other.name} and ${name} would both be ${key}`, {
        hint: 'keep the names of their registries with --scoped, or push one at a time with --image',
      })
    }
    taken.set(key, { digest, name })
    return { image, name, repository }
  })
}

function repositoryBelow(prefix: string | undefined, { name }: StoredImage, scoped: boolean): string {
  const [registry = '', ...path] = name.repository?.split('/') ?? []
  // A port's colon cannot be in a repository's name.
  const kept = scoped && registry !== '' ? [registry.replaceAll(/[:[\]]+/g, '-').toLowerCase()] : []
  const isNamed = name.repository !== undefined || name.tag !== undefined
  const own = prefix === undefined ? [] : [prefix]
  return isNamed ? [...own, ...kept, ...path].join('/') : ''
}

function faultOf(repository: string, name: string): DrayError | undefined {
  const fault = repositoryFault(repository)
  if (fault === undefined) return undefined
  if (repository === '') {
    return new DrayError('USAGE', `${name}: it has no name that says to which repository it belongs`, {
      hint: `push it alone with --image ${name}, to a repository`,
    })
  }
  return new DrayError('INVALID_REFERENCE', `${name}: cannot be pushed to ${repository}: ${fault}`)
}

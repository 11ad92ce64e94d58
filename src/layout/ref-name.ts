import { DrayError, isDrayError } from '../errors.ts'
import { formatReference, parseReference, tagFault } from '../oci/reference.ts'

/** The annotation that holds an entry's tag, or its name in full. */
export const refNameKey = 'org.opencontainers.image.ref.name'

/** containerd's annotation for an image's name in full, by which docker, nerdctl and ctr know an image of a layout. */
export const imageNameKey = 'io.containerd.image.name'

const refNameComponent = '[A-Za-z0-9]+(?:(?:--?|[._:@+])[A-Za-z0-9]+)*'
const refNamePattern = new RegExp(`^${refNameComponent}(?:/${refNameComponent})*$`)

/**
 * Takes what image-spec v1.1, annotations.md, allows in a ref.name, and what it leaves out: tags such as `_x` and `1.`, and
 * references in full (`docker.io/a/b__c:1`).
 * @throws DrayError `INVALID_REFERENCE`
 */
export function checkRefName(tag: string): void {
  const fault = refNamePattern.test(tag) || isFullName(tag) ? undefined : tagFault(tag)
  if (fault !== undefined) throw new DrayError('INVALID_REFERENCE', `invalid tag "${tag}": ${fault}`)
}

/** True for a reference in full: `docker.io/library/alpine:3.20`. */
export function isFullName(name: string): boolean {
  try {
    return formatReference(parseReference(name)) === name
  } catch (error) {
    if (isDrayError(error, 'INVALID_REFERENCE')) return false
    throw error
  }
}

import { isDrayError } from '../errors.ts'
import { formatReference, parseReference } from '../oci/reference.ts'

/**
 * An image's name in full, by docker's rules: `hello` is `docker.io/library/hello:latest`. Text that is no reference, as
 * `<none>:<none>`, stays what it is.
 */
export function fullName(text: string): string {
  try {
    return formatReference(parseReference(text))
  } catch (error) {
    if (isDrayError(error, 'INVALID_REFERENCE')) return text
    throw error
  }
}

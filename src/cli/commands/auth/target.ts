import type { CredentialTarget } from '../../../credential.ts'
import { parseTarget } from '../../target.ts'

/**
 * Reads what `auth show` and `auth token` are about: a reference, or a registry alone (see `parseTarget`).
 * @throws DrayError `INVALID_REFERENCE`
 */
export function parseAuthTarget(text: string): CredentialTarget {
  const { registry, repository } = parseTarget(text)
  return { registry, repository }
}

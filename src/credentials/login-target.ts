import type { CredentialTarget } from '../credential.ts'
import { DrayError, quote } from '../errors.ts'
import { parseRegistry, repositoryFault } from '../oci/reference.ts'

/**
 * Reads what a login is for: a registry, or a part of it by the path of its repositories: `ghcr.io`, `ghcr.io/org`,
 * `docker.io/user`. What `parseRegistry` forgives is forgiven here too.
 * @throws DrayError `INVALID_REFERENCE`
 */
export function parseLoginTarget(text: string): CredentialTarget {
  const [, registry = '', path = ''] = /^((?:https?:\/\/)?[^/]*)\/*(.*?)\/*$/is.exec(text) ?? []
  if (path === '' || /^v[12]$/.test(path)) return { registry: parseRegistry(text) }
  const fault = repositoryFault(path)
  if (fault !== undefined) fail(text, fault)
  const target = { registry: parseRegistry(registry), repository: path }
  if (/[.:A-Z]|^localhost$/.test(target.registry)) return target
  return fail(text, `name the registry too, as in docker.io/${target.registry}/${path}`)
}

/** The inverse of `parseLoginTarget`. */
export function formatLoginTarget({ registry, repository }: CredentialTarget): string {
  return repository === undefined ? registry : `${registry}/${repository}`
}

function fail(text: string, why: string): never {
  throw new DrayError('INVALID_REFERENCE', `invalid name ${quote(text)}: ${why}`)
}

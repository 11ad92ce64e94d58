import { DrayError, quote } from '../../errors.ts'
import { repositoryNameFault } from '../storage/repository-folders.ts'

/** The mirror that clients mean who name no registry: docker asks its `registry-mirrors` for nothing else. */
export const defaultMirror = 'docker.io'

/**
 * Refuses what cannot be the first part of repositories' names, as a mirror's name is.
 * @throws DrayError `USAGE`
 */
export function checkMirrorName(name: string): void {
  const fault = name.includes('/') ? 'it has a slash' : repositoryNameFault(name)
  if (fault === undefined) return
  const hint = name.includes(':') ? 'leave the port out, which belongs in the URL' : undefined
  throw new DrayError('USAGE', `no mirror can have the name ${quote(name)}: ${fault}`, { hint })
}

/** How a repository is called at the upstream: Docker Hub's own are in `library`. */
export function pathAt(mirror: string, path: string): string {
  return mirror === defaultMirror && !path.includes('/') ? `library/${path}` : path
}

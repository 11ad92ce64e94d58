import { DrayError, quote } from '../errors.ts'
import { parseScope, type ScopeMatch } from './scope.ts'
import type { ConfigTarget } from './settings.ts'

/** Where content lies: `mirror.example:5000`, `cache.local/docker`, with or without `https://` in front. */
export interface Place {
  readonly registry: string
  /** Empty for the whole registry. */
  readonly path: string
  /** By the scheme, where there is one. */
  readonly plainHttp: boolean | undefined
}

/** @throws DrayError `INVALID_REFERENCE` */
export function parsePlace(text: string): Place {
  const [, scheme, name = ''] = /^(?:(https?):\/\/)?(.*)$/is.exec(text) ?? []
  const { host, isWildcard, path, suffix } = parseScope(name)
  if (isWildcard || suffix !== '') {
    throw new DrayError(
      'INVALID_REFERENCE',
      `invalid location ${quote(text)}: only host[:port][/path] is wanted`,
    )
  }
  return {
    registry: host,
    path,
    plainHttp: scheme === undefined ? undefined : scheme.toLowerCase() === 'http',
  }
}

/**
 * The target as it is called at the place: what the scope names of it is replaced by the place (containers-registries.conf(5),
 * "location"). A tag and a digest stay.
 * @throws DrayError `USAGE` where no repository is left
 */
export function moved(place: Place, target: ConfigTarget, { rest }: ScopeMatch): ConfigTarget {
  const { registry, path } = place
  if (rest === undefined) return { registry }
  const repository = [path, rest].filter(part => part !== '').join('/')
  if (repository !== '') return { ...target, registry, repository }
  throw new DrayError('USAGE', `${registry}: a place for one repository needs the name that this has there`, {
    hint: `write ${registry}/${target.repository}`,
  })
}

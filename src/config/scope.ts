import { DrayError, quote } from '../errors.ts'
import { parseRegistry, repositoryFault } from '../oci/reference.ts'
import type { ConfigTarget } from './settings.ts'

/** A part of all the images there are, as a key names it: `docker.io`, `ghcr.io/org`, `*.example.com`, `host/app:1.0`. */
export interface Scope {
  /** A registry; of a wildcard what stands behind the star: `.example.com`. */
  readonly host: string
  readonly isWildcard: boolean
  /** Empty for the whole registry. */
  readonly path: string
  /** `:tag`, `@digest` or both. */
  readonly suffix: string
}

/** How a scope holds a target. */
export interface ScopeMatch {
  /** What of the target's repository stands behind the scope's path; undefined where the target has no repository. */
  readonly rest: string | undefined
  /** How much of the target the scope names, in characters; of several scopes the longest is meant. */
  readonly length: number
}

/** @throws DrayError `INVALID_REFERENCE` */
export function parseScope(text: string): Scope {
  const [, star, name = '', behind = ''] = /^(\*(?=\.))?([^/]*)(.*)$/s.exec(text.replace(/\/+$/, '')) ?? []
  const isWildcard = star !== undefined
  const host = isWildcard ? `.${parseRegistry(name.slice(1))}` : parseRegistry(name)
  const [, path = '', suffix = ''] = /^\/?([^:@]*)(.*)$/s.exec(behind) ?? []
  const fault = behind === '' ? undefined : repositoryFault(path)
  if (fault !== undefined) throw new DrayError('INVALID_REFERENCE', `invalid name ${quote(text)}: ${fault}`)
  return { host, isWildcard, path, suffix }
}

/** How the scope holds the target, or undefined where it does not. Paths match by whole parts, a wildcard any port. */
export function matchScope(scope: Scope, target: ConfigTarget): ScopeMatch | undefined {
  const { registry, repository, tag, digest } = target
  if (!holdsHost(scope, registry)) return undefined
  const { path, suffix } = scope
  const length = registry.length + (path === '' ? 0 : path.length + 1) + suffix.length
  if (path === '') return { rest: repository, length }
  if (repository === path) {
    const written = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`
    const isHeld = suffix === '' || written === suffix || written.startsWith(`${suffix}@`)
    return isHeld ? { rest: '', length } : undefined
  }
  if (suffix !== '' || !repository?.startsWith(`${path}/`)) return undefined
  return { rest: repository.slice(path.length + 1), length }
}

/** One of several things that have a scope, with how that holds the target. */
export interface Scoped<Thing> {
  readonly thing: Thing
  readonly match: ScopeMatch
}

/** Those whose scope holds the target, the most exact first. */
export function inScope<Thing extends { readonly scope: Scope }>(
  things: readonly Thing[],
  target: ConfigTarget,
): Scoped<Thing>[] {
  return things
    .flatMap(thing => {
      const match = matchScope(thing.scope, target)
      return match === undefined ? [] : [{ thing, match }]
    })
    .sort((a, b) => b.match.length - a.match.length || exactness(b.thing.scope) - exactness(a.thing.scope))
}

/** A name is more exact than a wildcard, and a wildcard the more so the more it names. */
function exactness({ isWildcard, host }: Scope): number {
  return isWildcard ? host.length : Number.POSITIVE_INFINITY
}

function holdsHost({ host, isWildcard }: Scope, registry: string): boolean {
  if (!isWildcard) return registry === host
  return registry.endsWith(host) || registry.replace(/:\d+$/, '').endsWith(host)
}

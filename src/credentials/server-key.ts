import type { CredentialTarget } from '../credential.ts'
import { defaultRegistry } from '../oci/reference.ts'

const hubKey = 'https://index.docker.io/v1/'
const hubHosts = ['docker.io', 'index.docker.io', 'registry-1.docker.io']

/**
 * The key under which a credential is written, and which helpers are asked for: the host, or Hub's old URL; for a part of
 * a registry the host and the path, as Podman writes it (containers-auth.json(5)).
 */
export function serverKey({ registry, repository }: CredentialTarget): string {
  const host = canonicalHost(registry)
  if (repository !== undefined) return `${host}/${repository}`
  return host === defaultRegistry ? hubKey : host
}

/** What a key is for, in the words of references: `docker.io`, `ghcr.io/org`. */
export function keyName(key: string): string {
  const { host, path } = parseKey(key)
  return path === '' ? host : `${host}/${path}`
}

/** The path that a key narrows its registry to; empty for the whole. */
export function keyPath(key: string): string {
  return parseKey(key).path
}

/** True when both name the same registry; Docker Hub has several names. */
export function sameRegistry(a: string, b: string): boolean {
  return canonicalHost(a) === canonicalHost(b)
}

/**
 * The keys of a config file that are meant for the target, best first: the longest path, then the key as `serverKey`
 * writes it, then the order of the file. A path matches by whole components only (containers-auth.json(5)).
 */
export function matchingKeys(keys: readonly string[], target: CredentialTarget): string[] {
  const { registry } = target
  const ownKey = serverKey({ registry })
  return keys
    .map(key => ({ key, ...parseKey(key) }))
    .filter(key => key.host === canonicalHost(registry) && isWithin(target.repository, key.path))
    .sort((a, b) => b.path.length - a.path.length || Number(b.key === ownKey) - Number(a.key === ownKey))
    .map(({ key }) => key)
}

/** The keys that are for exactly this registry, or exactly this part of it, best spelling first. */
export function equalKeys(keys: readonly string[], target: CredentialTarget): string[] {
  return matchingKeys(keys, target).filter(key => keyPath(key) === (target.repository ?? ''))
}

/** The keys for parts of this registry, or of this part of it. */
export function narrowerKeys(
  keys: readonly string[],
  { registry, repository = '' }: CredentialTarget,
): string[] {
  return keys.filter(key => {
    const { host, path } = parseKey(key)
    return host === canonicalHost(registry) && path !== repository && isWithin(path, repository)
  })
}

/**
 * Any other path than the API's `/v1/` or `/v2/` narrows the key, also behind a scheme, where docker would ignore it:
 * a credential that is meant for a part must not go to the whole.
 */
function parseKey(key: string): { host: string; path: string } {
  const bare = key.replace(/^https?:\/\//i, '')
  const api = bare === key ? /^([^/]*)\/v[12]\/$/ : /^([^/]*)\/v[12]\/?$/
  const [host = '', ...path] = bare.replace(api, '$1').replace(/\/+$/, '').split('/')
  return { host: canonicalHost(host), path: path.join('/') }
}

function canonicalHost(host: string): string {
  const lower = host.toLowerCase()
  return hubHosts.includes(lower) ? defaultRegistry : lower
}

function isWithin(repository: string | undefined, path: string): boolean {
  return path === '' || repository === path || repository?.startsWith(`${path}/`) === true
}

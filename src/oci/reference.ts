import { DrayError } from '../errors.ts'
import { type Digest, digestFault } from './digest.ts'

/** Names an image in a registry (distribution's reference grammar). */
export interface Reference {
  /** As written in references: `docker.io`, `ghcr.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string
  /** The whole path: `library/alpine`, `group/project/image`. */
  readonly repository: string
  readonly tag?: string | undefined
  readonly digest?: Digest | undefined
}

export const defaultRegistry = 'docker.io'
export const defaultTag = 'latest'

const maxRepositoryLength = 255
const maxTagLength = 128

/**
 * Reads `[registry[:port]/]repository[:tag][@digest]`, by docker.io's rules for short names. A reference without tag
 * and digest stands for the tag `latest`.
 * @throws DrayError `INVALID_REFERENCE` that names the part which is wrong
 */
export function parseReference(text: string): Reference {
  const { rest, digest } = splitDigest(text, text)
  const { name, tag } = splitTag(rest)
  const { registry, path } = splitRegistry(name)
  const repository = registry === defaultRegistry && !path.includes('/') ? `library/${path}` : path
  checkRegistry(registry, text)
  checkRepository(path, text)
  if (repository.length > maxRepositoryLength) {
    fail(text, `the repository is longer than ${maxRepositoryLength} characters`)
  }
  if (tag !== undefined) checkTag(tag, text)
  return {
    registry,
    repository,
    ...(tag === undefined && digest === undefined ? { tag: defaultTag } : {}),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  }
}

/**
 * Reads a reference that must name a repository only, as `dray ls` takes it.
 * @throws DrayError `INVALID_REFERENCE`, also when there is a tag or digest
 */
export function parseRepository(text: string): Pick<Reference, 'registry' | 'repository'> {
  const { registry, repository, tag, digest } = parseReference(text)
  if (digest !== undefined) fail(text, 'only a repository is wanted here, without a digest')
  if (tag !== undefined && text.endsWith(`:${tag}`))
    fail(text, 'only a repository is wanted here, without a tag')
  return { registry, repository }
}

/**
 * Reads the name of a registry, as `dray login` takes it; a scheme in front and a slash behind are forgiven.
 * @throws DrayError `INVALID_REFERENCE`
 */
export function parseRegistry(text: string): string {
  const bare = text
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\/v[12]$/, '')
  if (bare.includes('/')) fail(text, 'only a registry is wanted here, without a repository')
  const registry = canonicalRegistry(bare)
  checkRegistry(registry, text)
  return registry
}

/** The reference in full: `docker.io/library/alpine:3.20`. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`
  return `${reference.registry}/${reference.repository}${tag}${digest}`
}

/** What to ask a store for: the digest where there is one, else the tag. */
export function tagOrDigest(reference: Pick<Reference, 'tag' | 'digest'>): string {
  return reference.digest ?? reference.tag ?? defaultTag
}

/** What is wrong with a tag (distribution-spec v1.1, "Pulling manifests"), or undefined. */
export function tagFault(tag: string): string | undefined {
  if (tag === '') return 'the tag is empty'
  if (tag.length > maxTagLength) return `the tag is longer than ${maxTagLength} characters`
  if (!/^[A-Za-z0-9_]/.test(tag)) return 'a tag starts with a letter, a digit or "_"'
  if (!/^[A-Za-z0-9_.-]+$/.test(tag)) return 'a tag holds only letters, digits, "_", "." and "-"'
  return undefined
}

/** What is wrong with a repository's path (distribution-spec v1.1, "Pulling manifests"), or undefined. */
export function repositoryFault(path: string): string | undefined {
  if (path === '') return 'the repository is empty'
  if (path.length > maxRepositoryLength)
    return `the repository is longer than ${maxRepositoryLength} characters`
  for (const component of path.split('/')) {
    if (component === '') return 'the repository has an empty part between slashes'
    if (component !== component.toLowerCase()) return `the repository part "${component}" must be lower case`
    if (!/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/.test(component)) {
      return `the repository part "${component}" may hold letters and digits, joined by ".", "_", "__" or "-"`
    }
  }
  return undefined
}

function splitDigest(text: string, whole: string): { rest: string; digest?: Digest } {
  const at = text.indexOf('@')
  if (at < 0) return { rest: text }
  const digest = text.slice(at + 1)
  const fault = digestFault(digest)
  if (fault !== undefined) fail(whole, `the digest is wrong: ${fault}`)
  return { rest: text.slice(0, at), digest: digest as Digest }
}

function splitTag(text: string): { name: string; tag?: string } {
  const colon = text.lastIndexOf(':')
  if (colon < 0 || text.indexOf('/', colon) >= 0 || text.endsWith(']')) return { name: text }
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) }
}

/** The first part is a registry when it has a dot, a port or capitals, or is `localhost`; docker's own rule. */
function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const isRegistry = /[.:A-Z[]/.test(first) || first === 'localhost'
  if (slash < 0 || !isRegistry) return { registry: defaultRegistry, path: name }
  return { registry: canonicalRegistry(first), path: name.slice(slash + 1) }
}

function canonicalRegistry(host: string): string {
  const lower = host.toLowerCase()
  return lower === 'index.docker.io' || lower === 'registry-1.docker.io' ? defaultRegistry : lower
}

function checkRegistry(registry: string, whole: string): void {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]*)(?::(.*))?$/s.exec(registry)
  if (!match) fail(whole, `"${registry}" is not a registry's name`)
  const [, host = '', port] = match
  if (host === '') fail(whole, 'the registry is empty')
  if (host.startsWith('[') ? !isIpv6(host) : !isHostName(host)) fail(whole, `"${host}" is not a host name`)
  if (port !== undefined && !(/^[0-9]{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65536)) {
    fail(whole, `"${port}" is not a port`)
  }
}

function isHostName(host: string): boolean {
  return host.length <= 253 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(host)
}

function isIpv6(host: string): boolean {
  return URL.canParse(`http://${host}/`)
}

function checkRepository(path: string, whole: string): void {
  const fault = repositoryFault(path)
  if (fault !== undefined) fail(whole, fault)
}

function checkTag(tag: string, whole: string): void {
  const fault = tagFault(tag)
  if (fault !== undefined) fail(whole, fault)
}

function fail(text: string, why: string): never {
  throw new DrayError('INVALID_REFERENCE', `invalid reference "${text}": ${why}`)
}

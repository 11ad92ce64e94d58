import { DrayError, quote } from '../errors.ts'
import { type Digest, digestFault, isDigest } from './digest.ts'

/** Names an image in a registry (distribution's reference grammar). */
export interface Reference {
  /**
   * As written in references: `docker.io`, `ghcr.io`, `localhost:5000`, `[::1]:5000`. In lower case, save for a name like
   * `Host`, of which nothing but its capitals tells that it is a registry.
   */
  readonly registry: string
  /** The whole path: `library/alpine`, `group/project/image`. */
  readonly repository: string
  readonly tag?: string | undefined
  readonly digest?: Digest | undefined
}

/** The registry of references that name none. */
export const defaultRegistry = 'docker.io'
/** The tag of references that have neither tag nor digest. */
export const defaultTag = 'latest'

const maxRepositoryLength = 255
const maxTagLength = 128

/**
 * Reads `[registry[:port]/]repository[:tag][@digest]`, by docker.io's rules for short names. A reference without tag
 * and digest stands for the tag `latest`. As docker does, it refuses 64 hex digits alone, which are an image's ID, and
 * also a digest alone, which would else be a tag of the repository `sha256`.
 * @throws DrayError `INVALID_REFERENCE` that names the part which is wrong
 */
export function parseReference(text: string): Reference {
  const reference = readReference(text)
  const isNameOnly = reference.tag === undefined && reference.digest === undefined
  return isNameOnly ? { ...reference, tag: defaultTag } : reference
}

/**
 * Reads a reference that must name a repository only, as `dray ls` takes it.
 * @throws DrayError `INVALID_REFERENCE`, also when there is a tag or digest
 */
export function parseRepository(text: string): Pick<Reference, 'registry' | 'repository'> {
  const { registry, repository, tag, digest } = readReference(text)
  if (digest !== undefined) fail(text, 'only a repository is wanted here, without a digest')
  if (tag !== undefined) fail(text, 'only a repository is wanted here, without a tag')
  return { registry, repository }
}

/**
 * Reads the name of a registry, as `dray login` takes it; a scheme in front, and `/v1/`, `/v2/` or a slash behind, are
 * forgiven.
 * @throws DrayError `INVALID_REFERENCE`
 */
export function parseRegistry(text: string): string {
  const [, registry = '', path = ''] = /^(?:https?:\/\/)?([^/]*)(.*)$/is.exec(text) ?? []
  if (!/^(?:\/v[12])?\/*$/.test(path)) fail(text, 'only a registry is wanted here, without a repository')
  const fault = registryFault(registry)
  if (fault !== undefined) fail(text, fault)
  return canonicalRegistry(registry)
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
    if (component === '') return 'the repository has an empty part before, between or after slashes'
    if (/[A-Z]/.test(component)) return `the repository part ${quote(component)} must be lower case`
    if (!/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/.test(component)) {
      return `the repository part ${quote(component)} may hold letters and digits, joined by ".", "_", "__" or "-"`
    }
  }
  return undefined
}

/** The reference as far as it is written: a tag is not made up. */
function readReference(text: string): Reference {
  const { rest, digest } = splitDigest(text)
  const { name, tag } = splitTag(rest)
  const { host, path } = splitRegistry(name)
  const registry = canonicalRegistry(host)
  const isShort = registry === defaultRegistry && path !== '' && !path.includes('/')
  const repository = isShort ? `library/${path}` : path
  const fault =
    misunderstanding(text) ??
    registryFault(host) ??
    repositoryFault(repository) ??
    (tag === undefined ? undefined : tagFault(tag)) ??
    digestPartFault(digest)
  if (fault !== undefined) fail(text, fault)
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest: digest as Digest }),
  }
}

function digestPartFault(digest: string | undefined): string | undefined {
  const fault = digest === undefined ? undefined : digestFault(digest)
  return fault === undefined ? undefined : `the digest is wrong: ${fault}`
}

/** Text that the grammar would read as something else than its writer meant, or fault for the wrong part. */
function misunderstanding(text: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return 'a reference has no scheme; leave out what ends in "://"'
  if (/^[0-9a-f]{64}$/.test(text))
    return "64 hex digits alone are an image's ID, not the name of a repository"
  if (isDigest(text)) return 'a digest needs a repository and "@" in front of it'
  return undefined
}

function splitDigest(text: string): { rest: string; digest?: string } {
  const at = text.indexOf('@')
  return at < 0 ? { rest: text } : { rest: text.slice(0, at), digest: text.slice(at + 1) }
}

/** A colon before a slash or within brackets is not a tag's. */
function splitTag(text: string): { name: string; tag?: string } {
  const colon = text.lastIndexOf(':')
  if (colon < 0 || /[/\]]/.test(text.slice(colon))) return { name: text }
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) }
}

function splitRegistry(name: string): { host: string; path: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  if (!readsAsRegistry(first)) return { host: defaultRegistry, path: name }
  return { host: first, path: name.slice(slash + 1) }
}

/** Docker's rule for a name's first part: a registry has a dot, a port or capitals, or is `localhost`. */
function readsAsRegistry(part: string): boolean {
  return /[.:A-Z[]/.test(part) || part === 'localhost'
}

/** One name for one registry, which reads as a registry in a reference wherever `host` did. */
function canonicalRegistry(host: string): string {
  const lower = host.toLowerCase()
  if (lower === 'index.docker.io' || lower === 'registry-1.docker.io') return defaultRegistry
  return readsAsRegistry(lower) ? lower : host
}

/** What is wrong with a registry's name (distribution's grammar: `domain`), or undefined. */
function registryFault(registry: string): string | undefined {
  const [, host, port] = /^(\[.*\]|[^:]*)(?::(.*))?$/s.exec(registry) ?? []
  if (host === undefined) return `${quote(registry)} is not the name of a registry`
  if (port?.includes(':')) return 'an IPv6 address needs square brackets, as in [::1]:5000'
  if (host === '') return 'the registry is empty'
  if (!isHostName(host) && !isIpv6(host)) return `the registry ${quote(host)} is not a host name`
  if (port !== undefined && !isPort(port)) return `the port ${quote(port)} is not a number from 1 to 65535`
  return undefined
}

/** ASCII on purpose: some other letters have an ASCII letter as their lower case. */
function isHostName(host: string): boolean {
  return (
    host.length <= 253 &&
    host.split('.').every(label => /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/.test(label))
  )
}

/** As distribution has it: without a zone, and without an IPv4 address at the end. */
function isIpv6(host: string): boolean {
  return /^\[[0-9A-Fa-f:]+\]$/.test(host) && URL.canParse(`http://${host}/`)
}

function isPort(port: string): boolean {
  return /^[0-9]{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65536
}

function fail(text: string, why: string): never {
  throw new DrayError('INVALID_REFERENCE', `invalid reference ${quote(text)}: ${why}`)
}

import { type ImageName, nameOf, parseImageName } from '../bundle/image-name.ts'
import { DrayError, quote } from '../errors.ts'
import { type Digest, digestFault, isDigest } from '../oci/digest.ts'
import { formatReference, parseReference, type Reference } from '../oci/reference.ts'

/** Where an image is, or is to be. `text` is how messages call it. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: Reference; readonly text: string }
  | FileLocation
  | EngineLocation

/** A folder or an archive, and the image in it that is meant, if one is. */
export interface FileLocation {
  readonly kind: (typeof fileKinds)[number]
  /** For an archive `-` is stdin or stdout. */
  readonly path: string
  /** A tag, a reference (`alpine:3.20`), or in an archive of docker's a place (`@0`). */
  readonly name?: string | undefined
  readonly digest?: Digest | undefined
  readonly text: string
}

/** An image in the local engine, by a name or an image ID. */
export interface EngineLocation {
  readonly kind: 'docker-daemon'
  readonly image: string
  readonly text: string
}

const fileKinds = ['oci', 'oci-archive', 'docker-archive', 'dir'] as const

/** What a location may be, for the help of a verb's argument. */
export const locationText = 'a reference, or a location such as oci:DIR[:TAG] or docker-archive:FILE'

/** Schemes that others use, and that would otherwise be read as repositories of Docker Hub. */
const foreignSchemes = ['containers-storage', 'ostree']

/**
 * Reads a location as the command line takes it: `alpine:3.20`, `docker://ghcr.io/org/app`, `oci:DIR[:TAG|@DIGEST]`,
 * `oci-archive:FILE[:TAG|@DIGEST]`, `docker-archive:FILE[:REF|:@N|@DIGEST]`, `docker-daemon:REF`, `dir:DIR[@DIGEST]`.
 * @throws DrayError `INVALID_REFERENCE`, `UNSUPPORTED`
 */
export function parseLocation(text: string): Location {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(?!\d+\/)(.*)$/s.exec(text) ?? []
  if (isFileKind(scheme)) return fileLocation(scheme, text)
  if (scheme === 'docker-daemon') {
    if (rest === '') fail(text, 'the image is missing')
    return { kind: scheme, image: rest, text }
  }
  if (foreignSchemes.includes(scheme)) {
    throw new DrayError('UNSUPPORTED', `${quote(text)}: ${scheme}: locations are not supported`, {
      hint: 'a registry reference, oci:, oci-archive:, docker-archive:, docker-daemon: and dir: can be used',
    })
  }
  const reference = parseReference(text.replace(/^docker:\/\//, ''))
  return { kind: 'registry', reference, text: formatReference(reference) }
}

function isFileKind(scheme: string): scheme is FileLocation['kind'] {
  return (fileKinds as readonly string[]).includes(scheme)
}

/** True for the path of a folder or archive, which no repository can be called; `-` is stdin or stdout. */
export function isPath(text: string): boolean {
  return text === '-' || /^(?:[./]|[^:]+\.(?:tar|tgz|tzst|tar\.gz|tar\.zst)$)/i.test(text)
}

/** What a location says of its image's name. @throws DrayError `INVALID_REFERENCE` */
export function nameIn(location: Location): ImageName {
  if (location.kind === 'registry') return nameOf(location.reference)
  const text = location.kind === 'docker-daemon' ? location.image : location.name
  // What begins with "@" is a place in an archive, and a digest is the ID of an image in the engine.
  if (text === undefined || text.startsWith('@') || isDigest(text)) return {}
  return location.kind.startsWith('oci') ? parseImageName(text) : nameOf(parseReference(text))
}

/** The digest that a location names. */
export function digestIn(location: Location): Digest | undefined {
  if (location.kind === 'registry') return location.reference.digest
  return location.kind === 'docker-daemon' ? undefined : location.digest
}

interface SplitText {
  readonly path: string
  readonly name?: string | undefined
}

function fileLocation(kind: FileLocation['kind'], text: string): FileLocation {
  const isFolder = kind === 'oci' || kind === 'dir'
  const { rest, digest } = splitDigest(text, kind)
  const { path, name } = kind === 'dir' ? { path: rest } : isFolder ? splitFolder(rest) : splitFile(rest)
  if (path === '') fail(text, `the ${isFolder ? 'folder' : 'file'} is empty`)
  if (name === '') fail(text, `the ${kind === 'docker-archive' ? 'name' : 'tag'} is empty`)
  return { kind, path, name, digest, text }
}

/** A name in full, told by its registry: it has a dot or a port, or is localhost. */
const fullName = /^(?:localhost|[^/:.][^/:]*\.[^/:]*|[^/:.][^/:]*(?=:\d))(?::\d+)?\/./

/**
 * A tag begins behind the last colon, if no slash follows it; a folder's name may hold colons before that. A name in full
 * begins behind any colon.
 */
function splitFolder(text: string): SplitText {
  const colons = [...text.matchAll(/:/g)].map(({ index }) => index)
  const inFull = colons.find(at => fullName.test(text.slice(at + 1)))
  const colon = inFull ?? text.lastIndexOf(':')
  const isName = inFull !== undefined || colon > text.lastIndexOf('/')
  return isName ? splitAt(text, colon) : { path: text }
}

/** As skopeo has it: the file ends at the first colon. */
function splitFile(text: string): SplitText {
  const colon = text.indexOf(':')
  return colon < 0 ? { path: text } : splitAt(text, colon)
}

function splitAt(text: string, colon: number): SplitText {
  return { path: text.slice(0, colon), name: text.slice(colon + 1) }
}

/** `:@0` is a place in an archive and no digest. */
function splitDigest(text: string, kind: FileLocation['kind']): { rest: string; digest?: Digest } {
  const rest = text.slice(kind.length + 1)
  const at = rest.lastIndexOf('@')
  const digest = rest.slice(at + 1)
  const isPlace = kind === 'docker-archive' && /:@\d+$/.test(rest)
  if (at < 0 || isPlace || digest.includes('/')) return { rest }
  const fault = digestFault(digest)
  if (fault !== undefined) fail(text, fault)
  return { rest: rest.slice(0, at), digest: digest as Digest }
}

function fail(text: string, why: string): never {
  throw new DrayError('INVALID_REFERENCE', `invalid location ${quote(text)}: ${why}`)
}

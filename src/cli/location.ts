import { DrayError } from '../errors.ts'
import { type Digest, digestFault } from '../oci/digest.ts'
import { formatReference, parseReference, type Reference } from '../oci/reference.ts'

/** Where an image is, or is to be. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: Reference; readonly text: string }
  | {
      readonly kind: 'oci'
      readonly dir: string
      readonly tag?: string | undefined
      readonly digest?: Digest | undefined
      readonly text: string
    }

/** Schemes that others use, and that would otherwise be read as repositories of Docker Hub. */
const laterSchemes = ['oci-archive', 'docker-archive', 'docker-daemon', 'dir', 'containers-storage', 'ostree']

/**
 * Reads a location as the command line takes it: `alpine:3.20`, `docker://ghcr.io/org/app`, `oci:DIR[:TAG|@DIGEST]`.
 * `text` is how messages call it.
 * @throws DrayError `INVALID_REFERENCE`, `UNSUPPORTED`
 */
export function parseLocation(text: string): Location {
  const scheme = /^([a-z-]+):(?!\d+\/)/.exec(text)?.[1]
  if (scheme === 'oci') return parseLayoutLocation(text)
  if (scheme !== undefined && laterSchemes.includes(scheme)) {
    throw new DrayError('UNSUPPORTED', `"${text}": ${scheme}: locations are not supported`, {
      hint: 'a registry reference or oci:DIR[:TAG] can be used',
    })
  }
  const reference = parseReference(text.replace(/^docker:\/\//, ''))
  return { kind: 'registry', reference, text: formatReference(reference) }
}

/** The tag begins behind the last colon, if no slash follows it; a folder's name may hold colons before that. */
function parseLayoutLocation(text: string): Location {
  const { rest, digest } = splitDigest(text.slice('oci:'.length), text)
  const colon = rest.lastIndexOf(':')
  const hasTag = digest === undefined && colon > rest.lastIndexOf('/')
  const dir = hasTag ? rest.slice(0, colon) : rest
  const tag = hasTag ? rest.slice(colon + 1) : undefined
  if (dir === '') throw new DrayError('INVALID_REFERENCE', `invalid location "${text}": the folder is empty`)
  if (tag === '') throw new DrayError('INVALID_REFERENCE', `invalid location "${text}": the tag is empty`)
  return { kind: 'oci', dir, tag, digest, text }
}

function splitDigest(text: string, whole: string): { rest: string; digest?: Digest } {
  const at = text.lastIndexOf('@')
  const digest = text.slice(at + 1)
  if (at < 0 || digest.includes('/')) return { rest: text }
  const fault = digestFault(digest)
  if (fault !== undefined) throw new DrayError('INVALID_REFERENCE', `invalid location "${whole}": ${fault}`)
  return { rest: text.slice(0, at), digest: digest as Digest }
}

import { isDrayError } from '../errors.ts'
import type { IndexEntry } from '../layout/index-entries.ts'
import { imageNameKey, refNameKey } from '../layout/ref-name.ts'
import type { Digest } from '../oci/digest.ts'
import { parseReference, type Reference } from '../oci/reference.ts'

/** What an image is called where many are kept: its repository with the registry (`docker.io/library/alpine`), and its tag. */
export interface ImageName {
  readonly repository?: string | undefined
  readonly tag?: string | undefined
  /** In a name without a tag. */
  readonly digest?: Digest | undefined
}

/** The name that a reference stands for. */
export function nameOf({ registry, repository, tag, digest }: Reference): ImageName {
  return { repository: `${registry}/${repository}`, tag, digest: tag === undefined ? digest : undefined }
}

/** Reads a name: a tag alone, or a reference by docker.io's rules. What is neither says nothing. */
export function parseImageName(text: string): ImageName {
  if (!/[/:]/.test(text)) return { tag: text }
  try {
    return nameOf(parseReference(text))
  } catch (error) {
    if (isDrayError(error, 'INVALID_REFERENCE')) return {}
    throw error
  }
}

/** The name in full, `docker.io/library/alpine:3.20`; a tag where that is all. Undefined where nothing is known. */
export function formatImageName({ repository, tag, digest }: ImageName): string | undefined {
  if (repository === undefined) return tag
  return tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`
}

const imageNameKeys = [imageNameKey, refNameKey]

/** What an entry of index.json is called: as containerd names it, in full, else as image-spec v1.1, annotations.md, has it. */
export function nameOfEntry({ annotations }: Pick<IndexEntry, 'annotations'>): ImageName {
  const names = imageNameKeys.map(key => annotations?.[key])
  const text = names.find(name => typeof name === 'string' && name !== '')
  return typeof text === 'string' ? parseImageName(text) : {}
}

/** The image to which a tag of cosign's belongs (`sha256-….sig`), which holds its signatures, attestations or SBOM. */
export function attachedTo(tag: string | undefined): Digest | undefined {
  const [, hex] = /^sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$/.exec(tag ?? '') ?? []
  return hex === undefined ? undefined : (`sha256:${hex}` as Digest)
}

/** The tags in which cosign keeps what belongs to an image. */
export function attachedTags(digest: Digest): readonly string[] {
  const prefix = digest.replace(':', '-')
  return ['sig', 'att', 'sbom'].map(suffix => `${prefix}.${suffix}`)
}

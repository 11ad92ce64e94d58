import { DrayError, quote } from '../errors.ts'
import { formatReference, parseReference, parseRegistry, type Reference } from '../oci/reference.ts'

/** A registry, a repository in it, or an image as far as it was written. */
export type Target = Pick<Reference, 'registry' | 'tag' | 'digest'> & Partial<Pick<Reference, 'repository'>>

/**
 * Reads a reference, or a registry alone, which has a dot or is localhost where an image's name has none (`quay.io`,
 * `localhost:5000`, but `alpine:3.20`). No tag is made up.
 * @throws DrayError `INVALID_REFERENCE`, `USAGE` for a place that is in no registry, such as `oci:DIR`
 */
export function parseTarget(text: string): Target {
  if (/^(?:oci|oci-archive|docker-archive|docker-daemon|dir):/.test(text)) {
    throw new DrayError('USAGE', `${quote(text)} is in no registry`, {
      hint: 'name a registry, a repository or an image in one',
    })
  }
  const bare = text.replace(/^docker:\/\//, '')
  if (/^(?:https?:\/\/)?(?:localhost|\[[^\]]*\]|[^/:@]*\.[^/:@]*)(?::\d+)?\/*$/i.test(bare)) {
    return { registry: parseRegistry(bare) }
  }
  const { tag, ...reference } = parseReference(bare)
  return tag === undefined || !bare.includes(`:${tag}`) ? reference : { ...reference, tag }
}

/** The inverse of `parseTarget`. */
export function formatTarget({ repository, ...target }: Target): string {
  return repository === undefined ? target.registry : formatReference({ ...target, repository })
}

import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { formatPlatform } from '../oci/platform.ts'

/** `error`: the image is broken. `warning`: it works, or may work, and is not as the specification wants it. */
export type Severity = 'error' | 'warning'

/** A place in an image: the reference itself, or a descriptor in one of its manifests. */
export interface Place {
  /** The way from the reference's own manifest, such as `manifests[0].layers[2]`; `.` is that manifest itself. */
  readonly path: string
  readonly digest: Digest
  /** The platform of the index entry that leads there; null where there is none. */
  readonly platform: string | null
}

/** Something that is wrong with an image, and where. */
export interface Finding extends Place {
  readonly severity: Severity
  /** One line, without the place. */
  readonly what: string
}

/** Something that is wrong with what was looked at; whoever looked knows the place. */
export type Issue = Pick<Finding, 'severity' | 'what'>

/** An issue of severity `error`. */
export function error(what: string): Issue {
  return { severity: 'error', what }
}

/** An issue of severity `warning`. */
export function warning(what: string): Issue {
  return { severity: 'warning', what }
}

/** Said of what a manifest lists and the source does not have. */
export const missing: Issue = error('is not there')

/** Takes what is wrong with a place. */
export type Report = (place: Place, issues: readonly Issue[]) => void

/** The manifest that a reference stands for. */
export function rootPlace({ digest }: Descriptor): Place {
  return { path: '.', digest, platform: null }
}

/** A descriptor in the manifest at `parent`, in its field `config` or `layers[2]`. */
export function placeIn(parent: Place, field: string, { digest, platform }: Descriptor): Place {
  return {
    path: parent.path === '.' ? field : `${parent.path}.${field}`,
    digest,
    platform: platform === undefined ? parent.platform : formatPlatform(platform),
  }
}

/** Findings in the order of an image: a manifest before what it lists, entries by their numbers. */
export function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const { compare } = new Intl.Collator('en', { numeric: true })
  return findings.toSorted((one, other) => compare(one.path, other.path))
}

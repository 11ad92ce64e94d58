import { Chalk } from 'chalk'
import type { Finding, Severity } from '../validate/finding.ts'
import type { Validation } from '../validate/validate-image.ts'
import { printable } from './printable.ts'
import { shortDigest } from './short-digest.ts'
import { alignRows, padTo } from './text-width.ts'
import { formatBytes } from './units.ts'

/** The JSON document of `dray validate --format json`. Every field is always there. */
export interface ValidationDocument extends Validation {
  readonly reference: string
  /** True when blobs were only looked for, not read. */
  readonly fast: boolean
}

/**
 * A validation for people, with the newline at its end: the findings, each with its place, and below them what was
 * checked.
 */
export function validationText(document: ValidationDocument, { color }: { readonly color: boolean }): string {
  const { red, yellow, green } = new Chalk({ level: color ? 1 : 0 })
  const paints: Record<Severity, (text: string) => string> = { error: red, warning: yellow }
  const places = alignRows(document.findings.map(placeCells))
  const width = Math.max(...places.map(line => line.length), 0)
  const lines = document.findings.map(({ severity, what }, at) =>
    [paints[severity](severity.padEnd(7)), padTo(places[at] ?? '', width), printable(what)].join('  '),
  )
  const verdict = document.valid ? green('valid') : red('not valid')
  return [...lines, `${verdict}: ${outcome(document)}`, ''].join('\n')
}

/** `2 errors, 1 warning`, or that there are none. */
export function outcome({ errors, warnings, ...document }: ValidationDocument): string {
  const found = [...counted(errors, 'error'), ...counted(warnings, 'warning')]
  return `${found.length === 0 ? 'no findings' : found.join(', ')} in ${scope(document)}`
}

function scope({ checked, fast }: Pick<ValidationDocument, 'checked' | 'fast'>): string {
  const { manifests, blobs, foreign, bytes } = checked
  const parts = [
    ...counted(manifests, 'manifest'),
    ...counted(blobs, 'blob').map(text => (fast ? `${text} (only looked for)` : text)),
    ...counted(foreign, 'foreign layer').map(text => `${text} (not looked for)`),
  ]
  return `${parts.join(', ')}; ${formatBytes(bytes)} read`
}

function placeCells({ path, digest, platform }: Finding): string[] {
  return [printable(platform ?? '-'), path === '.' ? 'the manifest' : path, shortDigest(digest)]
}

function counted(count: number, noun: string): string[] {
  return count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'}`]
}

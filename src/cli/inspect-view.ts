import { mediaTypes } from '../oci/media-types.ts'
import type { InspectedConfig, InspectedPlatform, Inspection } from './inspection.ts'
import { printable } from './printable.ts'
import { shortDigest } from './short-digest.ts'
import { alignRows, cutTo, padTo } from './text-width.ts'
import { formatBytes } from './units.ts'

export interface InspectViewOptions {
  /** The time now, to tell how old the image is. */
  readonly now: Date
  /** How wide a line of the layer table may be; default 80. */
  readonly columns?: number | undefined
}

/**
 * An inspection for people, with the newline at its end. Digests and values are shown whole; only the commands of the
 * layers are cut to the width. Control characters of the image's text are escaped.
 */
export function inspectText(inspection: Inspection, options: InspectViewOptions): string {
  const sections = [
    headLines(inspection, options.now),
    section('Annotations', pairs(inspection.annotations).map(printable)),
    section('Platforms', platformLines(inspection)),
    section('Config', configLines(inspection.config)),
    section('Layers', layerLines(inspection, options.columns ?? 80)),
  ]
  return `${sections
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')}\n`
}

/** `3 months ago`, `2 years ago`; empty for times to come and for the zero dates of reproducible builds. */
export function ageOf(created: string, now: Date): string {
  const date = new Date(created)
  const seconds = (now.getTime() - date.getTime()) / 1000
  if (!(seconds >= 0) || date.getUTCFullYear() < 2000) return ''
  const steps: [number, string][] = [
    [31_557_600, 'year'],
    [2_629_800, 'month'],
    [86_400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ]
  const [length, unit] = steps.find(([unitSeconds]) => seconds >= unitSeconds) ?? [1, 'second']
  const count = Math.floor(seconds / length)
  return `${count} ${unit}${count === 1 ? '' : 's'} ago`
}

/** A label takes nine columns, so that a whole sha256 digest ends in column 80. */
function headLines(inspection: Inspection, now: Date): string[] {
  const { created, size, layers, subject, artifactType } = inspection
  const age = created === null ? '' : ageOf(created, now)
  const rows: [string, string | null][] = [
    ['Name', inspection.reference],
    ['Digest', inspection.digest],
    ['Type', inspection.mediaType],
    ['Artifact', artifactType],
    ['Subject', subject],
    ['Platform', describedPlatform(inspection)],
    ['Created', created === null ? null : `${created}${age && ` (${age})`}`],
    ['Size', size === null ? null : `${formatBytes(size)} in ${countOf(layers.length, 'layer')}`],
  ]
  return rows.flatMap(([label, value]) => (value === null ? [] : [`${padTo(label, 9)}${printable(value)}`]))
}

function describedPlatform({ kind, platform }: Inspection): string | null {
  if (kind !== 'index' || platform === null) return platform
  return `${platform} (marked * below; its config and layers are shown)`
}

/** The size is headed as the manifest's own: an index does not tell how large its images are. */
function platformLines({ platforms, imageDigest }: Inspection): string[] {
  if (platforms.length === 0) return []
  const rows = platforms.map(entry => [
    entry.digest === imageDigest ? '*' : ' ',
    printable(entry.platform ?? 'any'),
    shortDigest(entry.digest),
    formatBytes(entry.size),
    printable(typeOf(entry)),
  ])
  return alignRows([['', 'PLATFORM', 'DIGEST', 'MANIFEST', 'TYPE'], ...rows], [3])
}

function typeOf({ mediaType, artifactType, annotations }: InspectedPlatform): string {
  if (annotations['vnd.docker.reference.type'] === 'attestation-manifest') return 'attestation'
  return artifactType ?? typeNames[mediaType] ?? mediaType
}

const typeNames: Record<string, string> = {
  [mediaTypes.ociManifest]: 'OCI image',
  [mediaTypes.ociIndex]: 'OCI index',
  [mediaTypes.dockerManifest]: 'Docker image',
  [mediaTypes.dockerList]: 'Docker list',
}

function configLines(config: InspectedConfig | null): string[] {
  if (config === null) return []
  const rows: [string, readonly string[]][] = [
    ['User', listOf(config.user)],
    ['Entrypoint', listOf(config.entrypoint && JSON.stringify(config.entrypoint))],
    ['Cmd', listOf(config.cmd && JSON.stringify(config.cmd))],
    ['Workdir', listOf(config.workingDir)],
    ['Ports', listOf(config.exposedPorts.join(', '))],
    ['Volumes', listOf(config.volumes.join(', '))],
    ['Stop', listOf(config.stopSignal)],
    ['Author', listOf(config.author)],
    ['Env', config.env],
    ['Labels', pairs(config.labels)],
  ]
  return alignRows(
    rows.flatMap(([label, values]) => values.map((value, at) => [at === 0 ? label : '', printable(value)])),
  )
}

/** Each step of the history in order; layers alone where the history does not fit them. */
function layerLines({ layers, history }: Inspection, columns: number): string[] {
  const agree = history.some(step => step.layer !== null)
  const steps = agree ? history : layers.map((_, layer) => ({ layer, createdBy: null }))
  const rows = steps.map(step => {
    const layer = step.layer === null ? undefined : layers[step.layer]
    if (layer === undefined) return ['-', 'empty', '', commandOf(step.createdBy)]
    const title = layer.annotations['org.opencontainers.image.title']
    const made = step.createdBy === null ? (title ?? layer.mediaType) : commandOf(step.createdBy)
    return [String((step.layer ?? 0) + 1), shortDigest(layer.digest), formatBytes(layer.size), made]
  })
  const printableRows = rows.map(row => row.map(printable))
  const lines = alignRows(printableRows, [0, 2]).map(line => cutTo(line, columns - indent.length))
  const unpaired = !agree && history.length > 0
  return unpaired
    ? [...lines, `(the history has ${countOf(history.length, 'step')}, which do not fit)`]
    : lines
}

/** The instruction of the Dockerfile, as well as it can be told from what docker and buildkit write. */
function commandOf(createdBy: string | null): string {
  return (createdBy ?? '')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/^\/bin\/sh -c #\(nop\) ?/, '')
    .replace(/^(?:\|\d+ .*? )?\/bin\/sh -c /, 'RUN ')
    .replace(/ # buildkit$/, '')
    .trim()
}

function pairs(record: Readonly<Record<string, string>>): string[] {
  return Object.entries(record).map(([name, value]) => `${name}=${value}`)
}

function listOf(value: string | null): string[] {
  return value ? [value] : []
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const indent = '  '

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map(line => `${indent}${line}`)]
}

import { Chalk } from 'chalk'
import type { Change, ChangeKind } from '../diff/change.ts'
import type { FileAspect, FileChange } from '../diff/diff-files.ts'
import type { ComparedEnd, ImageDiff } from '../diff/diff-images.ts'
import type { ComparedLayer } from '../diff/diff-layers.ts'
import type { FileInfo } from '../diff/read-files.ts'
import type { Digest } from '../oci/digest.ts'
import { printable } from './printable.ts'
import { shortDigest } from './short-digest.ts'
import { alignRows } from './text-width.ts'
import { formatBytes } from './units.ts'

/** The JSON document of `dray diff --format json`. Every field is always there. */
export interface DiffDocument extends ImageDiff {
  readonly from: NamedEnd
  readonly to: NamedEnd
}

/** What was compared at one end, and how it was called. */
export interface NamedEnd extends ComparedEnd {
  readonly reference: string
}

type Mark = '+' | '-' | '~' | ' '
type Row = readonly [Mark, ...string[]]

const marks: Record<ChangeKind, Mark> = { added: '+', removed: '-', changed: '~' }

/**
 * A comparison for people, with the newline at its end: what is only in the first stands behind `-`, what is only in the
 * second behind `+`, what is another behind `~`.
 */
export function diffText(diff: DiffDocument, { color }: { readonly color: boolean }): string {
  const paint = painter(color)
  const { from, to } = diff
  const head = [paint('-', `--- ${endText(from)}`), paint('+', `+++ ${endText(to)}`)]
  if (diff.identical) return [...head, 'identical', ''].join('\n')
  const { shared, added, removed } = diff.bytes
  const sizes = `${formatBytes(shared)} shared, ${formatBytes(added)} added, ${formatBytes(removed)} removed`
  const sections: [string, readonly Row[]][] = [
    ['Platforms', diff.platforms.map(platformRow)],
    ['Index', diff.index.map(fieldRow)],
    ['Fields', diff.fields.map(fieldRow)],
    ['History', diff.history.map(({ kind, createdBy }) => [marks[kind], createdBy])],
    [`Layers (${sizes})`, diff.layers.map(layerRow)],
    ['Files', (diff.files ?? []).map(fileRow)],
  ]
  const lines = sections.flatMap(([title, rows]) => section(title, rows, paint))
  if (lines.length === 0) lines.push('', 'only the bytes of the manifests differ')
  if (diff.files?.length === 0) lines.push('', 'no file differs')
  return [...head, ...lines, ''].join('\n')
}

function endText({ reference, platform, imageDigest }: NamedEnd): string {
  return [printable(reference), imageDigest, ...(platform === null ? [] : [printable(platform)])].join('  ')
}

function section(title: string, rows: readonly Row[], paint: Painter): string[] {
  if (rows.length === 0) return []
  const lines = alignRows(rows.map(row => row.map(printable)))
  return ['', title, ...lines.map((line, at) => `  ${paint(rows[at]?.[0] ?? ' ', line)}`)]
}

function platformRow({ name, kind, from, to }: Change<Digest>): Row {
  return [marks[kind], name, arrow(from && shortDigest(from), to && shortDigest(to))]
}

function fieldRow({ name, kind, from, to }: Change<unknown>): Row {
  return [
    marks[kind],
    name,
    arrow(from === null ? null : valueText(from), to === null ? null : valueText(to)),
  ]
}

function layerRow({ kind, from, to, digest, size }: ComparedLayer): Row {
  const mark = kind === 'same' ? ' ' : marks[kind]
  const moved = from !== null && to !== null && from !== to
  const place = moved ? `${from + 1} → ${to + 1}` : String((from ?? to ?? 0) + 1)
  return [mark, place, shortDigest(digest), formatBytes(size)]
}

function fileRow({ name, kind, from, to, aspects }: FileChange): Row {
  if (from === null || to === null) {
    const info = from ?? to
    return info === null
      ? [marks[kind], name]
      : [marks[kind], name, info.type, sizeText(info), modeText(info)]
  }
  const size = aspects.includes('content') ? arrow(sizeText(from), sizeText(to)) : sizeText(to)
  return [marks[kind], name, to.type, size, aspects.map(aspect => aspectText(aspect, from, to)).join(', ')]
}

function aspectText(aspect: FileAspect, from: FileInfo, to: FileInfo): string {
  switch (aspect) {
    case 'content':
      return 'content'
    case 'type':
      return `was a ${from.type}`
    case 'mode':
      return `mode ${arrow(modeText(from), modeText(to))}`
    case 'owner':
      return `owner ${arrow(`${from.uid}:${from.gid}`, `${to.uid}:${to.gid}`)}`
    case 'target':
    case 'device':
      return `${aspect} ${arrow(from[aspect], to[aspect])}`
  }
}

function sizeText({ type, size, target }: FileInfo): string {
  if (type === 'symlink') return `→ ${target}`
  return type === 'file' ? formatBytes(size) : ''
}

function modeText({ mode }: FileInfo): string {
  return mode.toString(8).padStart(4, '0')
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function arrow(from: string | null, to: string | null): string {
  return from === null || to === null || from === to ? (from ?? to ?? '') : `${from} → ${to}`
}

type Painter = (mark: Mark, text: string) => string

function painter(color: boolean): Painter {
  const { green, red, yellow } = new Chalk({ level: color ? 1 : 0 })
  const paints = { '+': green, '-': red, '~': yellow, ' ': (text: string) => text }
  return (mark, text) => paints[mark](text)
}

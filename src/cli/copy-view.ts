import type { CopyResult, CopyStep } from '../transfer/copy-result.ts'
import { formatBytes, formatDuration } from './units.ts'

/** What a copy did as a document: the same fields each time, so that a template that works once always does. */
export interface CopyDocument extends Omit<CopyResult, 'platforms' | 'plan'> {
  /** Null where the copied image is no index, or did not have to be read. */
  readonly platforms: readonly string[] | null
  /** Null unless in a dry run. */
  readonly plan: readonly CopyStep[] | null
}

/** The document of a copy. */
export function copyDocument(result: CopyResult): CopyDocument {
  const { manifests, blobs, bytes, seconds, dryRun, plan, ...rest } = result
  const platforms = result.platforms ?? null
  return { ...rest, platforms, manifests, blobs, bytes, seconds, dryRun, plan: plan ?? null }
}

/** What a copy wrote, or would do, as lines for people. */
export function copyText(result: CopyResult): string {
  const { destination, digest, tags, dryRun } = result
  const written = tags.length === 0 ? [destination] : tags.map(tag => `${destination}:${tag}`)
  const names = dryRun ? [] : written
  return [...planLines(result), ...names.map(name => `${name}@${digest}\n`)].join('')
}

/** What is to be said beside that. */
export function copyRemarks(result: CopyResult): string[] {
  const { digest, changed, sourceDigest } = result
  const remark = `the digest is a new one: ${digest} (the source has ${sourceDigest})`
  return [...(changed ? [remark] : []), summary(result)]
}

function planLines({ plan = [], destination }: CopyResult): string[] {
  const verbs = { copied: 'upload', mounted: 'mount', present: 'skip', foreign: 'skip foreign' } as const
  return plan.map(({ kind, how, digest, size, tags = [] }) => {
    const verb = kind === 'manifest' && how === 'copied' ? 'write' : verbs[how]
    const names = tags.length === 0 ? '' : ` as ${tags.map(tag => `${destination}:${tag}`).join(', ')}`
    return `would ${verb} ${kind} ${digest} ${formatBytes(size)}${names}\n`
  })
}

function summary({ blobs, manifests, bytes, seconds, dryRun }: CopyResult): string {
  const size = formatBytes(bytes)
  const parts = [
    ...counted(blobs.copied, dryRun ? `to copy (${size})` : `copied (${size})`),
    ...counted(blobs.mounted, dryRun ? 'to mount' : 'mounted'),
    ...counted(blobs.present, 'already there'),
    ...counted(blobs.foreign, 'foreign, left out'),
  ]
  const written = counted(manifests.copied, dryRun ? 'to write' : 'written')
  const sections = [
    ...(parts.length === 0 ? [] : [`blobs: ${parts.join(', ')}`]),
    ...(written.length === 0 ? [] : [`manifests: ${written.join('')}`]),
  ]
  if (sections.length === 0) sections.push('nothing to do, it is all there')
  return `${dryRun ? 'dry run: ' : ''}${sections.join('; ')}; ${formatDuration(seconds * 1000)}`
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}`]
}

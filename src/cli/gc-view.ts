import type { Collection, Removal } from '../server/garbage/collect.ts'
import { jsonLine } from './output.ts'
import { printable } from './printable.ts'
import type { LogForm } from './request-log.ts'
import { formatBytes } from './units.ts'

/** What was collected, as `dray gc --format json` prints it. */
export interface GcDocument {
  readonly dir: string
  readonly dryRun: boolean
  /** In how many repositories was looked. */
  readonly repositories: number
  readonly freedBytes: number
  readonly removed: readonly {
    readonly kind: Removal['kind']
    readonly repository: string | null
    readonly digest: string | null
    readonly path: string | null
    readonly bytes: number
  }[]
  readonly failures: readonly {
    readonly repository: string
    readonly code: string
    readonly message: string
    readonly hint: string | null
  }[]
}

/** What a collection has done, with all fields that there are. */
export function gcDocument({ removed, failures, ...collection }: Collection): GcDocument {
  return {
    dir: collection.dir,
    dryRun: collection.dryRun,
    repositories: collection.repositories,
    freedBytes: collection.freedBytes,
    removed: removed.map(({ kind, repository = null, digest = null, path = null, bytes }) => ({
      kind,
      repository,
      digest,
      path,
      bytes,
    })),
    failures: failures.map(({ repository, error: { code, message, hint = null } }) => ({
      repository,
      code,
      message,
      hint,
    })),
  }
}

/** Lines for people: how much went where; of a dry run, each thing that would go. */
export function gcText(collection: Collection): string {
  const { dryRun, removed, repositories, freedBytes } = collection
  const where = repositories === 1 ? '1 repository' : `${repositories} repositories`
  if (removed.length === 0) return `nothing to remove in ${where}\n`
  const things = dryRun ? removed.map(thing => `would remove ${describe(thing, collection.dir)}`) : []
  const places = grouped(removed, ({ repository }) => repository ?? collection.dir)
  const counts = [...places].map(([place, those]) => `${place}: ${countText(those)}`)
  const total = `${dryRun ? 'would free' : 'freed'} ${formatBytes(freedBytes)} in ${where}`
  return [...things, ...counts, total].map(line => `${printable(line)}\n`).join('')
}

/** The line of a server's log for a collection; undefined where nothing is logged, or nothing was removed. */
export function gcLogLine(
  form: LogForm,
  { removed, freedBytes }: Collection,
  time: Date,
): string | undefined {
  if (form === 'none' || removed.length === 0) return undefined
  return form === 'json'
    ? jsonLine({ time: time.toISOString(), collected: removed.length, freedBytes })
    : `${time.toISOString()} collected ${countText(removed)}, freed ${formatBytes(freedBytes)}\n`
}

const names: Readonly<Record<Removal['kind'], readonly [string, string]>> = {
  untagged: ['untagged manifest', 'untagged manifests'],
  blob: ['blob', 'blobs'],
  'shared-blob': ['shared blob', 'shared blobs'],
  upload: ['upload', 'uploads'],
  part: ['part of a blob', 'parts of blobs'],
  temporary: ['temporary file', 'temporary files'],
}

function countText(removed: readonly Removal[]): string {
  const byKind = grouped(removed, ({ kind }) => kind)
  return [...byKind].map(([kind, { length }]) => `${length} ${names[kind][length === 1 ? 0 : 1]}`).join(', ')
}

function describe({ kind, repository, digest, path, bytes }: Removal, dir: string): string {
  const size = kind === 'untagged' ? '' : ` (${formatBytes(bytes)})`
  return `${names[kind][0]} ${digest ?? path} of ${repository ?? dir}${size}`
}

function grouped<Key>(removed: readonly Removal[], keyOf: (removal: Removal) => Key): Map<Key, Removal[]> {
  const groups = new Map<Key, Removal[]>()
  for (const removal of removed) {
    const key = keyOf(removal)
    const group = groups.get(key) ?? []
    group.push(removal)
    groups.set(key, group)
  }
  return groups
}

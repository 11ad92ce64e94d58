import { type Change, changesOf } from './change.ts'
import type { FileInfo, Files } from './read-files.ts'

/** What can be another in two files. */
export type FileAspect = 'type' | 'content' | 'target' | 'device' | 'mode' | 'owner'

/** A path that is not the same in two images; its name is the path, without a slash at its beginning. */
export interface FileChange extends Change<FileInfo> {
  /** What is another; none for what was added or removed. */
  readonly aspects: readonly FileAspect[]
}

/** Compares two filesystems, in the order of their paths. Times and extended attributes do not count. */
export function compareFiles(from: Files, to: Files): readonly FileChange[] {
  return changesOf(from, to, (one, other) => aspectsOf(one, other).length === 0)
    .map(change => ({ ...change, aspects: aspectsOf(change.from, change.to) }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

function aspectsOf(from: FileInfo | null, to: FileInfo | null): readonly FileAspect[] {
  if (from === null || to === null) return []
  if (from.type !== to.type) return ['type']
  const aspects: (FileAspect | false)[] = [
    from.digest !== to.digest && 'content',
    from.target !== to.target && 'target',
    from.device !== to.device && 'device',
    from.mode !== to.mode && 'mode',
    (from.uid !== to.uid || from.gid !== to.gid) && 'owner',
  ]
  return aspects.filter(aspect => aspect !== false)
}

import type { Layout } from '../../layout/layout.ts'
import type { Mirror } from './mirror.ts'

/** A repository that is answered for: what there is of it here, and where the rest comes from. */
export interface MirroredRepository {
  readonly mirror: Mirror
  /** What it is called there: `library/alpine`. */
  readonly path: string
  /** What it is called here: `docker.io/library/alpine`. */
  readonly name: string
}

/** What is here of a repository; it need not be there yet. */
export function layoutOf({ mirror, name }: MirroredRepository): Promise<Layout> {
  return mirror.storage.openToWrite(name)
}

/** Of an answer that may not be the newest (RFC 7234, 5.5.1). */
export function staleHeaders(isStale: boolean): Record<string, string> {
  return isStale ? { Warning: '110 - "Response is Stale"' } : {}
}

import { quote } from '../errors.ts'
import { safePath } from '../tar/entry-name.ts'
import { tarFault } from '../tar/tar-limits.ts'

/** What the name of an entry makes of it. Paths begin at the image's root, without a slash. */
export interface LayerName {
  /**
   * - `entry`: a file, folder, link or device
   * - `whiteout`: takes away what older layers have at `path`
   * - `opaque`: takes away what older layers have in the folder that `path` lies in
   * - `hidden`: of AUFS; not to be seen, but hard links may lead to it
   */
  readonly kind: 'entry' | 'whiteout' | 'opaque' | 'hidden'
  readonly path: string
}

const prefix = '.wh.'

/** How many characters a path may have: no Linux takes longer ones (PATH_MAX). */
export const longestName = 4096

/**
 * Reads the name of an entry in a layer (image-spec v1.1, layer.md, "Whiteouts"). A slash at its beginning is the image's
 * root, as engines take it: some builders write one.
 * @throws DrayError `INTEGRITY` for a name that leads out of the image, that no system can have, or that takes away nothing
 */
export function parseLayerName(name: string, archive: string): LayerName {
  const path = layerPath(name, archive)
  if (path.startsWith('.wh..wh.') && path !== '.wh..wh..opq') return { kind: 'hidden', path }
  const at = path.lastIndexOf('/') + 1
  const last = path.slice(at)
  if (last === '.wh..wh..opq') return { kind: 'opaque', path }
  if (!last.startsWith(prefix)) return { kind: 'entry', path }
  const gone = last.slice(prefix.length)
  if (['', '.', '..'].includes(gone)) throw tarFault(archive, `entry ${quote(name)} takes away nothing`)
  return { kind: 'whiteout', path: path.slice(0, at) + gone }
}

/**
 * A name, or where a hard link leads, as a path in the image.
 * @throws DrayError `INTEGRITY`
 */
export function layerPath(name: string, archive: string): string {
  if (name.length > longestName) throw tarFault(archive, `entry ${quote(name)} has a name that is too long`)
  return safePath(name.replace(/^\/+/, ''), archive)
}

import { isDrayError, quote } from '../errors.ts'
import { safePath } from '../tar/entry-name.ts'
import type { TarHeader } from '../tar/tar-header.ts'
import { error, type Issue, warning } from './finding.ts'

const whiteout = '.wh.'
/** Marks a folder whose lower content is hidden; the others are aufs's own files, which old engines left in layers. */
const knownNames = ['.wh..wh..opq', '.wh..wh.aufs', '.wh..wh.orph', '.wh..wh.plnk']

/** What is wrong with an entry of a layer: its names and its whiteouts (image-spec v1.1, layer.md). */
export function entryIssues(header: TarHeader): readonly Issue[] {
  const { name, type, linkname } = header
  const issues = pathIssues(name, `entry ${quote(name)}`)
  if (type === 'link') issues.push(...pathIssues(linkname, `the target of the hard link ${quote(name)}`))
  return [...issues, ...whiteoutIssues(header)]
}

function pathIssues(path: string, what: string): Issue[] {
  // Engines take a slash at the beginning for the image's root, and some builders write one.
  const issues = path.startsWith('/') ? [warning(`${what} is absolute`)] : []
  try {
    safePath(path.replace(/^\/+/, ''), '')
    return issues
  } catch (fault) {
    if (!isDrayError(fault, 'INTEGRITY')) throw fault
    return [error(`${what} leads out of the filesystem`)]
  }
}

function whiteoutIssues({ name, type, size }: TarHeader): readonly Issue[] {
  if (!name.includes(whiteout)) return []
  const parts = name.split('/').filter(part => part !== '' && part !== '.')
  const last = parts.at(-1) ?? ''
  const inside = parts.slice(0, -1).find(isWhiteout)
  if (inside !== undefined) return [warning(`entry ${quote(name)} is inside a whiteout`)]
  if (!isWhiteout(last)) return []
  const hidden = last.slice(whiteout.length)
  if (hidden === '' || hidden === '.' || hidden === '..')
    return [error(`the whiteout ${quote(name)} hides nothing`)]
  if (type !== 'file' && type !== 'link')
    return [warning(`the whiteout ${quote(name)} is a ${type}, not an empty file`)]
  return size > 0 ? [warning(`the whiteout ${quote(name)} is not empty`)] : []
}

function isWhiteout(part: string): boolean {
  return part.startsWith(whiteout) && !knownNames.includes(part)
}

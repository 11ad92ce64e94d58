import type { FileHandle } from 'node:fs/promises'
import { quote } from '../errors.ts'
import { isZero, paddingOf } from './blocks.ts'
import { FileReader } from './file-reader.ts'
import { HeadReader } from './read-head.ts'
import type { TarFileEntry, TarHeader } from './tar-header.ts'
import { behindTheEnd, type ReadTarOptions, tarFault } from './tar-limits.ts'

/**
 * The entries of an uncompressed archive, from their headers alone.
 * @throws DrayError `IO`; `INTEGRITY` as `readTar`
 */
export async function indexTar(
  { file, size }: { readonly file: FileHandle; readonly size: number },
  options: ReadTarOptions,
): Promise<TarFileEntry[]> {
  const reader = new FileReader(file, options.name, size)
  const heads = new HeadReader(reader, options)
  const entries: TarFileEntry[] = []
  let kept = 0
  for (;;) {
    const head = await heads.next()
    if (head === undefined) break
    const { header, offset: headOffset } = head
    kept += textLength(header)
    if (kept > mostText) throw tarFault(options.name, `names and attributes of more than ${mostText} bytes`)
    entries.push({ ...header, headOffset, contentOffset: reader.position })
    const length = header.storedSize + paddingOf(header.storedSize)
    if ((await reader.skip(length)) < length) {
      throw tarFault(options.name, `entry ${quote(header.name)} is cut off, the archive ends at byte ${size}`)
    }
  }
  const behind = await reader.take(glanceBytes)
  if (!isZero(behind)) options.onOddity?.(behindTheEnd)
  return entries
}

/** Names can be long, and the entries stay in memory. */
const mostText = 256 * 1024 * 1024

/** How far to look behind the end: twice what GNU tar writes there at most with its defaults. */
const glanceBytes = 20 * 1024

function textLength({ name, linkname, uname, gname, xattrs }: TarHeader): number {
  const attributes = [...xattrs].reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  return name.length + linkname.length + uname.length + gname.length + attributes
}

import { describe, expect, it } from 'vitest'
import { filesText } from '../../src/cli/files-view.ts'
import type { FileRow } from '../../src/filesystem/list-files.ts'
import { digestOf } from '../../src/oci/digest.ts'

const file: FileRow = {
  path: 'a',
  type: 'file',
  mode: '0644',
  uid: 0,
  gid: 0,
  user: null,
  group: null,
  size: 0,
  mtime: '2024-05-06T07:08:09.000Z',
  target: null,
  layer: 1,
  layerDigest: digestOf(''),
}

describe('files for people', () => {
  it.each<[Partial<FileRow>, string]>([
    [{}, '-rw-r--r--  0:0  0  2024-05-06 07:08  1  a'],
    [{ type: 'directory', mode: '1777' }, 'drwxrwxrwt  0:0  0  2024-05-06 07:08  1  a/'],
    [{ mode: '6755' }, '-rwsr-sr-x  0:0  0  2024-05-06 07:08  1  a'],
    [{ mode: '7644' }, '-rwSr-Sr-T  0:0  0  2024-05-06 07:08  1  a'],
    [{ mode: '0000', user: 'root', group: 'wheel' }, '----------  root:wheel  0  2024-05-06 07:08  1  a'],
    [{ type: 'symlink', mode: '0777', target: 'b' }, 'lrwxrwxrwx  0:0  0  2024-05-06 07:08  1  a -> b'],
    [{ type: 'link', target: 'b' }, 'hrw-r--r--  0:0  0  2024-05-06 07:08  1  a link to b'],
    [{ type: 'whiteout', mode: '0000' }, 'w---------  0:0  0  2024-05-06 07:08  1  a'],
    [{ mtime: null, uid: 1, user: '\u001b' }, '-rw-r--r--  \\u{1b}:0  0    1  a'],
    [{ mtime: '+012345-01-01T00:00:00.000Z' }, '-rw-r--r--  0:0  0  +012345-01-01 00:00  1  a'],
  ])('in long: %o', (row, line) => {
    expect(filesText([{ ...file, ...row }], { isLong: true })).toBe(`${line}\n`)
  })

  it('are names alone in short', () => {
    const rows: FileRow[] = [
      file,
      { ...file, type: 'directory', path: 'b' },
      { ...file, type: 'symlink', target: 'x', path: 'c' },
    ]
    expect(filesText(rows, { isLong: false })).toBe('a\nb/\nc\n')
  })
})

import { describe, expect, it } from 'vitest'
import { type DiffDocument, diffText } from '../../src/cli/diff-view.ts'
import type { FileInfo } from '../../src/diff/read-files.ts'
import { digestOf } from '../../src/oci/digest.ts'

const digest = digestOf('x')
const end = { reference: 'a.test/app:1', digest, mediaType: '', imageDigest: digest, platform: null }
const nothing: DiffDocument = {
  identical: false,
  from: end,
  to: { ...end, platform: 'linux/amd64' },
  platforms: [],
  index: [],
  fields: [],
  history: [],
  layers: [],
  bytes: { shared: 0, added: 0, removed: 0 },
  files: null,
}
const file: FileInfo = {
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 1500,
  digest,
  target: null,
  device: null,
}
const link: FileInfo = { ...file, type: 'symlink', size: 0, digest: null, target: 'x' }

const text = (part: Partial<DiffDocument>, color = false) =>
  diffText({ ...nothing, ...part }, { color })
    .split('\n')
    .slice(2)
    .join('\n')

describe('a comparison for people', () => {
  it('names both ends first', () => {
    expect(diffText(nothing, { color: false })).toBe(
      `--- a.test/app:1  ${digest}\n+++ a.test/app:1  ${digest}  linux/amd64\n\nonly the bytes of the manifests differ\n`,
    )
    expect(text({ identical: true })).toBe('identical\n')
  })

  it('shows values as they are, other than text as JSON, and controls escaped', () => {
    const fields = [
      { name: 'cmd', kind: 'changed', from: ['a'], to: ['b'] },
      { name: 'labels.\x1b', kind: 'added', from: null, to: 'x\ny' },
    ] as const
    expect(text({ fields })).toBe('\nFields\n  ~  cmd            ["a"] → ["b"]\n  +  labels.\\u{1b}  x\\ny\n')
  })

  it('tells of a layer that it has another place', () => {
    const layers = [{ kind: 'same', digest, size: 5, from: 0, to: 1 }] as const
    expect(text({ layers })).toContain('     1 → 2  2d711642b726  5 B\n')
  })

  it('tells of files what is another', () => {
    const files: DiffDocument['files'] = [
      { name: 'a', kind: 'added', from: null, to: file, aspects: [] },
      {
        name: 'b',
        kind: 'changed',
        from: file,
        to: { ...file, size: 10, mode: 0o4755, uid: 7 },
        aspects: ['content', 'mode', 'owner'],
      },
      { name: 'c', kind: 'changed', from: { ...file, type: 'directory' }, to: link, aspects: ['type'] },
      { name: 'd', kind: 'changed', from: link, to: { ...link, target: 'y' }, aspects: ['target'] },
    ]
    expect(text({ files })).toBe(
      [
        '',
        'Files',
        '  +  a  file     1.5 kB         0644',
        '  ~  b  file     1.5 kB → 10 B  content, mode 0644 → 4755, owner 0:0 → 7:0',
        '  ~  c  symlink  → x            was a directory',
        '  ~  d  symlink  → y            target x → y',
        '',
      ].join('\n'),
    )
    expect(text({ files: [], fields: [{ name: 'a', kind: 'removed', from: '', to: null }] })).toMatch(
      /\n\nno file differs\n$/,
    )
  })

  it('has colours where they are wanted', () => {
    const history = [
      { kind: 'removed', createdBy: 'x', emptyLayer: false },
      { kind: 'added', createdBy: 'y', emptyLayer: false },
    ] as const
    expect(text({ history }, true)).toContain('  \x1b[31m-  x\x1b[39m\n  \x1b[32m+  y\x1b[39m\n')
  })
})

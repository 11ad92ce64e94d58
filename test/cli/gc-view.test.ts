import { describe, expect, it } from 'vitest'
import { gcDocument, gcLogLine, gcText } from '../../src/cli/gc-view.ts'
import { DrayError } from '../../src/errors.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { Collection } from '../../src/server/garbage/collect.ts'

const [manifest, blob] = [digestOf('manifest'), digestOf('blob')]

const collection: Collection = {
  dir: './registry',
  dryRun: false,
  repositories: 3,
  removed: [
    { kind: 'untagged', repository: 'team/app', digest: manifest, bytes: 0 },
    { kind: 'blob', repository: 'team/app', digest: manifest, bytes: 400 },
    { kind: 'blob', repository: 'team/app', digest: blob, bytes: 12_300_000 },
    { kind: 'shared-blob', digest: blob, bytes: 12_300_000 },
    { kind: 'upload', path: '_uploads/one\u001b[2J', bytes: 5 },
  ],
  freedBytes: 12_300_405,
  failures: [{ repository: 'broken', error: new DrayError('INTEGRITY', 'index.json: not JSON') }],
}
const nothing = { ...collection, removed: [], freedBytes: 0, failures: [] }

describe('a collection is told', () => {
  it('as how much went where', () => {
    expect(gcText(collection)).toBe(
      [
        'team/app: 1 untagged manifest, 2 blobs',
        './registry: 1 shared blob, 1 upload',
        'freed 12.3 MB in 3 repositories',
        '',
      ].join('\n'),
    )
  })

  it('as all that would go, where nothing has', () => {
    expect(gcText({ ...collection, dryRun: true })).toBe(
      [
        `would remove untagged manifest ${manifest} of team/app`,
        `would remove blob ${manifest} of team/app (400 B)`,
        `would remove blob ${blob} of team/app (12.3 MB)`,
        `would remove shared blob ${blob} of ./registry (12.3 MB)`,
        'would remove upload _uploads/one\\u{1b}[2J of ./registry (5 B)',
        'team/app: 1 untagged manifest, 2 blobs',
        './registry: 1 shared blob, 1 upload',
        'would free 12.3 MB in 3 repositories',
        '',
      ].join('\n'),
    )
  })

  it('in one line where there was nothing', () => {
    expect(gcText({ ...nothing, repositories: 1 })).toBe('nothing to remove in 1 repository\n')
    expect(gcText(nothing)).toBe('nothing to remove in 3 repositories\n')
  })

  it('as a document, with all its fields', () => {
    const { removed, failures, ...rest } = gcDocument(collection)
    expect(rest).toEqual({ dir: './registry', dryRun: false, repositories: 3, freedBytes: 12_300_405 })
    expect(removed[0]).toEqual({
      kind: 'untagged',
      repository: 'team/app',
      digest: manifest,
      path: null,
      bytes: 0,
    })
    expect(removed[4]).toMatchObject({ repository: null, digest: null, path: '_uploads/one\u001b[2J' })
    expect(failures).toEqual([
      { repository: 'broken', code: 'INTEGRITY', message: 'index.json: not JSON', hint: null },
    ])
  })

  it('in the log of a server, when something went', () => {
    const time = new Date('2030-01-02T03:04:05Z')
    expect(gcLogLine('text', collection, time)).toBe(
      '2030-01-02T03:04:05.000Z collected 1 untagged manifest, 2 blobs, 1 shared blob, 1 upload, freed 12.3 MB\n',
    )
    expect(JSON.parse(gcLogLine('json', collection, time) ?? '')).toEqual({
      time: '2030-01-02T03:04:05.000Z',
      collected: 5,
      freedBytes: 12_300_405,
    })
    expect(gcLogLine('none', collection, time)).toBeUndefined()
    expect(gcLogLine('text', nothing, time)).toBeUndefined()
  })
})

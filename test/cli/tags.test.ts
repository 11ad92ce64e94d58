import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TagSelection, tagSorts } from '../../src/cli/tag-selection.ts'
import { selectTags, sortTags } from '../../src/cli/tags.ts'

const alpine = [
  '20240923',
  '3',
  '3.18',
  '3.18.0',
  '3.18.9',
  '3.20',
  '3.20.0',
  '3.20.3',
  '3.9.6',
  'edge',
  'latest',
]
const mixed = ['v1.10.0', '1.2.0', 'v1.9.0', '2.0.0-rc.1', '2.0.0-beta', '1.2.0-alpine', 'latest', 'nightly']

describe('the tags in a range of versions', () => {
  it.each<[string, readonly string[], TagSelection, string[]]>([
    ['are full versions only', alpine, { semver: '>=3.10' }, ['3.18.0', '3.18.9', '3.20.0', '3.20.3']],
    ['may have a v in front', mixed, { semver: '^1' }, ['v1.10.0', '1.2.0', 'v1.9.0']],
    ['are no pre-releases', mixed, { semver: '*' }, ['v1.10.0', '1.2.0', 'v1.9.0']],
    ['are pre-releases where the range names one', mixed, { semver: '>=2.0.0-rc' }, ['2.0.0-rc.1']],
    [
      'are pre-releases of the named version only',
      mixed,
      { semver: '>=1.2.0-0' },
      ['v1.10.0', '1.2.0', 'v1.9.0', '1.2.0-alpine'],
    ],
    [
      'are pre-releases with prerelease',
      mixed,
      { semver: '>=1.9', prerelease: true },
      ['v1.10.0', 'v1.9.0', '2.0.0-rc.1', '2.0.0-beta'],
    ],
    [
      'may carry build metadata behind _',
      ['1.0.0_b1', '1.0.0_b2'],
      { semver: '1.0.0' },
      ['1.0.0_b1', '1.0.0_b2'],
    ],
    ['may match several ranges', mixed, { semver: '1.2 || 1.9' }, ['1.2.0', 'v1.9.0']],
  ])('%s', (_, tags, selection, wanted) => {
    expect(selectTags(tags, selection)).toEqual(wanted)
  })

  it('are not looked for when the range cannot be read', () => {
    expect(() => selectTags(alpine, { semver: 'newest' })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: '--semver: "newest" is not a range of versions' }),
    )
  })
})

describe('the newest tags', () => {
  it.each<[string, readonly string[], TagSelection, string[]]>([
    ['are releases, newest first', alpine, { latest: 3 }, ['3.20.3', '3.20.0', '3.18.9']],
    ['count by precedence, not by letters', mixed, { latest: 2 }, ['v1.10.0', 'v1.9.0']],
    ['may be pre-releases', mixed, { latest: 2, prerelease: true }, ['2.0.0-rc.1', '2.0.0-beta']],
    ['are pre-releases where nothing else matches', mixed, { latest: 1, match: '2.*' }, ['2.0.0-rc.1']],
    ['come from the range', mixed, { latest: 1, semver: '>=2.0.0-0' }, ['2.0.0-rc.1']],
    [
      'are last in natural order where nothing is a version',
      ['9', '16', '16.4', '10'],
      { latest: 2 },
      ['16.4', '16'],
    ],
    ['may be turned around', alpine, { latest: 2, reverse: true }, ['3.20.0', '3.20.3']],
    ['may be sorted otherwise', mixed, { latest: 3, sort: 'name' }, ['1.2.0', 'v1.10.0', 'v1.9.0']],
    ['are all where there are fewer', mixed, { latest: 99 }, ['v1.10.0', 'v1.9.0', '1.2.0']],
    ['are none where there are none', [], { latest: 3 }, []],
  ])('%s', (_, tags, selection, wanted) => {
    expect(selectTags(tags, selection)).toEqual(wanted)
  })
})

describe('the order of tags', () => {
  const tags = ['v1.10.0', '10', '9', '3.10', '3.9', '1.0.0-rc.2', '1.0.0-rc.10', '1.0.0', 'B', 'a', '03.9']

  it.each([
    ['none', tags],
    ['name', ['03.9', '1.0.0', '1.0.0-rc.10', '1.0.0-rc.2', '10', '3.10', '3.9', '9', 'B', 'a', 'v1.10.0']],
    [
      'natural',
      ['1.0.0', '1.0.0-rc.2', '1.0.0-rc.10', '03.9', '3.9', '3.10', '9', '10', 'B', 'a', 'v1.10.0'],
    ],
    ['semver', ['03.9', '3.9', '3.10', '9', '10', 'B', 'a', '1.0.0-rc.2', '1.0.0-rc.10', '1.0.0', 'v1.10.0']],
  ] as const)('by %s', (sort, wanted) => {
    expect(sortTags(tags, sort)).toEqual(wanted)
    expect(selectTags(tags, { sort, reverse: true })).toEqual(wanted.toReversed())
  })

  it('counts numbers of any length', () => {
    const long = '9'.repeat(40)
    expect(sortTags([`1${long}`, `${long}`, '2'], 'natural')).toEqual(['2', `${long}`, `1${long}`])
  })

  it.each(tagSorts.filter(sort => sort !== 'none'))('by %s does not depend on the order before', sort => {
    const part = fc.constantFrom('1', '2', '10', '01', '.', '-', 'v', 'rc', 'a', '0', '1.0.0', '_')
    const tag = fc.array(part, { minLength: 1, maxLength: 6 }).map(parts => parts.join(''))
    const shuffled = fc
      .uniqueArray(tag, { maxLength: 30 })
      .chain(list => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })))
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        expect(sortTags(one, sort)).toEqual(sortTags(other, sort))
        expect(sortTags(one, sort).toSorted()).toEqual(one.toSorted())
      }),
    )
  })

  it('leaves its input as it was', () => {
    const input = ['b', 'a']
    selectTags(input, { sort: 'name', reverse: true })
    expect(input).toEqual(['b', 'a'])
  })
})

describe('the tags that match', () => {
  it('are filtered after the range and before the newest are taken', () => {
    const tags = ['1.0.0', '1.1.0', '1.2.0-alpine', '1.1.0-alpine', '0.9.0-alpine']
    const selection = { semver: '>=1', prerelease: true, match: '*-alpine', latest: 1 }
    expect(selectTags(tags, selection)).toEqual(['1.2.0-alpine'])
  })
})

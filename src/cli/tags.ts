import semver from 'semver'
import { DrayError, quote } from '../errors.ts'
import { parsePattern } from './pattern.ts'
import type { TagSelection, TagSort } from './tag-selection.ts'

/**
 * The tags that are asked for, in the order that is asked for. Every order but `none` is total: it does not depend on
 * the order of the input.
 * @throws DrayError `USAGE` for a range or pattern that cannot be read
 */
export function selectTags(tags: readonly string[], selection: TagSelection): string[] {
  let selected = [...tags]
  if (selection.semver !== undefined) selected = selected.filter(versionFilter(selection.semver, selection))
  if (selection.match !== undefined) selected = selected.filter(parsePattern(selection.match, '--match'))
  if (selection.latest !== undefined) selected = newest(selected, selection).slice(0, selection.latest)
  if (selection.sort !== undefined) selected = sortTags(selected, selection.sort)
  return selection.reverse ? selected.reverse() : selected
}

/** The tags in order, oldest or smallest first. */
export function sortTags(tags: readonly string[], sort: TagSort): string[] {
  const orders = { name: compareCodes, natural: compareNatural, semver: compareVersions }
  return sort === 'none' ? [...tags] : [...tags].sort(orders[sort])
}

function versionFilter(text: string, { prerelease = false }: TagSelection): (tag: string) => boolean {
  const range = semver.validRange(text)
  if (range === null) {
    throw new DrayError('USAGE', `--semver: ${quote(text)} is not a range of versions`, {
      hint: "for example '^1.2', '>=1.20 <2' or '1.2.x || 2.x'",
    })
  }
  return tag => {
    const version = versionOf(tag)
    return version !== null && semver.satisfies(version, range, { includePrerelease: prerelease })
  }
}

function newest(tags: readonly string[], selection: TagSelection): string[] {
  const versions = tags.filter(tag => versionOf(tag) !== null)
  const wantsAll = selection.prerelease === true || selection.semver !== undefined
  const releases = wantsAll ? [] : versions.filter(tag => versionOf(tag)?.prerelease.length === 0)
  const candidates = [releases, versions, tags].find(list => list.length > 0) ?? []
  return sortTags(candidates, 'semver').reverse()
}

/** A tag cannot hold the `+` of build metadata; Helm and others write `_` for it. */
function versionOf(tag: string): semver.SemVer | null {
  return semver.parse(tag.replace('_', '+'))
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [versionOf(a), versionOf(b)]
  if (left && right) return semver.compareBuild(left, right) || compareNatural(a, b)
  if (left || right) return left ? 1 : -1
  return compareNatural(a, b)
}

function compareNatural(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? []
  const right = b.match(/\d+|\D+/g) ?? []
  for (const [at, run] of left.entries()) {
    const other = right[at]
    if (other === undefined) return 1
    const order = compareRuns(run, other)
    if (order !== 0) return order
  }
  return left.length - right.length || compareCodes(a, b)
}

function compareRuns(a: string, b: string): number {
  if (!/^\d/.test(a) || !/^\d/.test(b)) return compareCodes(a, b)
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return left.length - right.length || compareCodes(left, right)
}

function compareCodes(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

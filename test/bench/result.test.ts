import { expect, it } from 'vitest'
import { type Measurement, markBest, markedRow, rowOf, summarise } from './result.ts'
import { mean, median } from './statistics.ts'

const run = (wallMs: number, rest: Partial<Measurement> = {}): Measurement => ({
  ...{ wallMs, cpuMs: undefined, memoryMb: undefined, requests: 0 },
  ...rest,
})

it.each([
  [[3], 3],
  [[9, 1, 4], 4],
  [[8, 1, 4, 2], 3],
  [[10, 9, 100], 10],
  [[], Number.NaN],
])('the median of %j is %d', (values, expected) => expect(median(values)).toBe(expected))

it('the mean weighs all alike', () => expect(mean([1, 2, 6])).toBe(3))

it('runs are summed up by the median of time and requests, the mean of processor time and the most memory', () => {
  const runs = [
    run(1, { cpuMs: 10, memoryMb: 50, requests: 9 }),
    run(2, { cpuMs: 20, memoryMb: 70, requests: 9 }),
    run(9, { cpuMs: 60, memoryMb: 60, requests: 30 }),
  ]
  expect(summarise(runs)).toEqual({ wallMs: 2, cpuMs: 30, memoryMb: 70, requests: 9 })
})

it('what was not measured stays unknown', () => {
  expect(summarise([run(1), run(2)])).toMatchObject({ cpuMs: undefined, memoryMb: undefined })
})

it('a ratio is the median of the ratios of the pairs, not the ratio of the medians', () => {
  const pairs = [
    { ours: run(100), theirs: run(50) },
    { ours: run(10), theirs: run(40) },
    { ours: run(30), theirs: run(30) },
  ]
  expect(rowOf('crane', true, pairs)).toMatchObject({
    ratio: 1,
    ours: { wallMs: 30 },
    theirs: { wallMs: 40 },
  })
})

it('without a peer there is no ratio', () => {
  const row = rowOf(undefined, false, [{ ours: run(100), theirs: undefined }])
  expect(row).toMatchObject({ ratio: undefined, theirs: undefined, ours: { wallMs: 100 } })
})

it('the best is the fastest of those that verify', () => {
  const rows = markBest([
    rowOf('crane', true, [{ ours: run(10), theirs: run(20) }]),
    rowOf('skopeo', true, [{ ours: run(10), theirs: run(15) }]),
    rowOf('oras', false, [{ ours: run(10), theirs: run(5) }]),
  ])
  expect(rows.map(row => row.best)).toEqual([false, true, false])
  expect(markedRow({ name: '', dray: undefined, rows, faults: [] })?.peer).toBe('skopeo')
})

it('nobody is the best where nobody verifies, and the first row stands for the case', () => {
  const rows = markBest([rowOf('oras', false, [{ ours: run(10), theirs: run(5) }])])
  expect(rows.map(row => row.best)).toEqual([false])
  expect(markedRow({ name: '', dray: undefined, rows, faults: [] })?.peer).toBe('oras')
})

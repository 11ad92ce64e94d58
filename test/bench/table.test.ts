import { expect, it } from 'vitest'
import { judge } from './goals.ts'
import { renderMarkdown } from './markdown.ts'
import type { Report } from './report.ts'
import { sampleResult } from './sample-result.ts'
import { renderTable } from './table.ts'

const copy = sampleResult('copy', { crane: 200, oras: 80 })
const report: Report = {
  date: '2026-01-02T03:04:05.000Z',
  machine: {
    processor: 'Cray-1',
    processors: 2,
    memoryBytes: 8 * 2 ** 30,
    system: 'Linux 6',
    inMemory: true,
  },
  versions: { dray: '1.0.0', crane: '2.0.0' },
  rounds: 5,
  meter: true,
  cases: [
    {
      ...copy,
      judgements: [
        judge({ measure: 'wall', to: 'best', atMost: 0.75 }, copy, []),
        judge({ measure: 'wall', to: 'oras', atMost: 1.1 }, copy, []),
        judge({ measure: 'wall', to: 'skopeo', atMost: 1 }, copy, []),
      ],
    },
    { name: 'pull', dray: undefined, rows: [], skipped: 'no room', faults: [], judgements: [] },
    { name: 'push', dray: undefined, rows: [], faults: ['crane ended with 1'], judgements: [] },
  ],
}

it('the table shows each peer of a case, the best marked, goals beside it, and what was left out', () => {
  expect(renderTable(report).split('\n')).toEqual([
    'Cray-1, 2 processors, 8 GB, Linux 6; registries and layouts in memory',
    'dray 1.0.0, crane 2.0.0',
    '2026-01-02, medians of 5 rounds in turns, one more before them not counted',
    'ours / theirs; * the fastest of those that verify what they move',
    '',
    'case  peer     wall ms    ratio  processor ms  memory MB  requests  per second  goals',
    'copy  * crane  100 / 200  0.50   70 / 30       60 / 20    9 / 15                wall ≤ 0.75 of the best: 0.50 ✓; wall ≤ 1 of skopeo: not measured',
    '        oras   100 / 80   1.25   70 / 30       60 / 20    9 / 15                wall ≤ 1.1 of oras: 1.25 ✗',
    'skipped: pull: no room',
    'failed: push: crane ended with 1',
  ])
})

it('the table says why cells are empty', () => {
  expect(renderTable({ ...report, meter: false })).toContain('GNU time is not installed')
})

it('the Markdown has a line for each case and a column for each program', () => {
  expect(renderMarkdown(report).split('\n')).toEqual([
    '| case | dray | crane | oras | goals |',
    '| --- | --: | --: | --: | --- |',
    '| copy | 100 ms, 60 MB, 9 req | **0.50**: 200 ms, 20 MB, 15 req | 1.25: 80 ms, 20 MB, 15 req | wall ≤ 0.75 of the best: 0.50 ✓; wall ≤ 1.1 of oras: 1.25 ✗; wall ≤ 1 of skopeo: not measured |',
    '',
    'Cray-1, 2 processors, 8 GB, Linux 6; registries and layouts in memory.  ',
    'dray 1.0.0, crane 2.0.0.  ',
    '2026-01-02, medians of 5 rounds in turns, one more before them not counted.  ',
  ])
})

const serve = {
  ...sampleResult('serve: push', { 'docker-registry': 200 }),
  work: { amount: 50, unit: 'MB' as const },
}
const goal = { measure: 'rate', to: 'docker-registry', atLeast: 0.8 } as const
const serving: Report = { ...report, cases: [{ ...serve, judgements: [judge(goal, serve, [])] }] }

it('of a server it is shown how much it does in a second', () => {
  expect(renderTable(serving).split('\n').slice(5)).toEqual([
    'case         peer               wall ms    ratio  processor ms  memory MB  requests  per second    goals',
    'serve: push    docker-registry  100 / 200  0.50   70 / 30       60 / 20    9 / 15    500 / 250 MB  rate ≥ 0.8 of docker-registry: 2.00 ✓',
  ])
})

it('the Markdown has another table for the server', () => {
  const both = { ...serving, cases: [...report.cases, ...serving.cases] }
  const lines = renderMarkdown(both).split('\n')
  expect(lines.filter(line => line.startsWith('| case'))).toEqual([
    '| case | dray | crane | oras | goals |',
    '| case | dray | docker-registry | goals |',
  ])
  expect(lines).toContain(
    '| serve: push | 500 MB/s, 60 MB, 70 ms | 0.50: 250 MB/s, 20 MB, 30 ms | rate ≥ 0.8 of docker-registry: 2.00 ✓ |',
  )
})

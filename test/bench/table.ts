import type { Program } from './case.ts'
import { describeJudgement } from './goals.ts'
import { describeReport, type Report } from './report.ts'
import { type JudgedCase, type Measurement, markedRow, perSecond, type Row } from './result.ts'

const heading = [
  'case',
  'peer',
  'wall ms',
  'ratio',
  'processor ms',
  'memory MB',
  'requests',
  'per second',
  'goals',
]

/** For people at a terminal: a line for each case and peer, ours before the slash. */
export function renderTable(report: Report): string {
  const lines = [heading, ...report.cases.flatMap(linesOf)]
  const widths = heading.map((_, column) => Math.max(...lines.map(line => line[column]?.length ?? 0)))
  const table = lines.map(line =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const legend = 'ours / theirs; * the fastest of those that verify what they move'
  return [...describeReport(report), legend, '', ...table, ...notesOf(report)].join('\n')
}

/** What was skipped or failed, a line each. */
export function notesOf({ cases }: Report): string[] {
  return cases.flatMap(({ name, skipped, faults }) => [
    ...(skipped === undefined ? [] : [`skipped: ${name}: ${skipped}`]),
    ...faults.map(fault => `failed: ${name}: ${fault.trim()}`),
  ])
}

function linesOf(result: JudgedCase): string[][] {
  return result.rows.map((row, at) => [
    at === 0 ? result.name : '',
    `${row.best ? '*' : ' '} ${row.peer ?? ''}`,
    pair(row, 'wallMs'),
    row.ratio?.toFixed(2) ?? '',
    pair(row, 'cpuMs'),
    pair(row, 'memoryMb'),
    pair(row, 'requests'),
    rates(result, row),
    goalsOf(result, row),
  ])
}

/** A goal stands beside the peer that it is about; where that one is not there, beside the marked one. */
function goalsOf(result: JudgedCase, row: Row): string {
  const rowFor = (peer: Program | undefined) =>
    result.rows.find(each => each.peer === peer) ?? markedRow(result)
  const here = result.judgements.filter(judgement => rowFor(judgement.peer) === row)
  return here.map(describeJudgement).join('; ')
}

function rates(result: JudgedCase, { ours, theirs }: Row): string {
  const both = slashed([ours, theirs].map(each => each && perSecond(result, each)))
  return result.work?.unit === 'MB' ? `${both} MB` : both
}

function pair({ ours, theirs }: Row, figure: keyof Measurement): string {
  return slashed([ours?.[figure], theirs?.[figure]])
}

function slashed(figures: readonly (number | undefined)[]): string {
  return figures.flatMap(each => (each === undefined ? [] : Math.round(each))).join(' / ')
}

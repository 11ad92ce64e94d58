import type { Program } from './case.ts'
import { describeJudgement } from './goals.ts'
import { describeReport, type Report } from './report.ts'
import { type JudgedCase, type Measurement, markedRow } from './result.ts'

/** The table of the README: a line for each case, a column for each program. */
export function renderMarkdown(report: Report): string {
  const measured = report.cases.filter(({ rows }) => rows.length > 0)
  const found = new Set(measured.flatMap(({ rows }) => rows.map(row => row.peer)))
  const peers = (['crane', 'skopeo', 'oras'] as const).filter(peer => found.has(peer))
  const lines = [
    ['case', 'dray', ...peers, 'goals'],
    ['---', ...['', ...peers].map(() => '--:'), '---'],
    ...measured.map(result => [
      result.name,
      ours(result),
      ...peers.map(peer => theirs(result, peer)),
      goals(result),
    ]),
  ]
  const table = lines.map(cells => `| ${cells.join(' | ')} |`)
  return [...table, '', ...describeReport(report).map(line => `${line}.  `)].join('\n')
}

function ours(result: JudgedCase): string {
  const row = markedRow(result)
  return row === undefined ? '' : figures(row.ours)
}

/** With our time as a ratio to theirs; bold is the fastest of those that verify. */
function theirs(result: JudgedCase, peer: Program): string {
  const row = result.rows.find(each => each.peer === peer)
  if (row?.theirs === undefined) return ''
  const ratio = row.ratio?.toFixed(2) ?? ''
  return `${row.best ? `**${ratio}**` : ratio}: ${figures(row.theirs)}`
}

function figures({ wallMs, memoryMb, requests }: Measurement): string {
  return [
    `${Math.round(wallMs)} ms`,
    ...(memoryMb === undefined ? [] : [`${Math.round(memoryMb)} MB`]),
    ...(requests === 0 ? [] : [`${requests} req`]),
  ].join(', ')
}

/** That memory is within its bounds need not be said in every line. */
function goals({ judgements }: JudgedCase): string {
  const telling = judgements.filter(({ goal, met }) => goal.measure !== 'memory' || !met)
  return telling.map(describeJudgement).join('; ')
}

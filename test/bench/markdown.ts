import type { Program } from './case.ts'
import { describeJudgement } from './goals.ts'
import { describeReport, type Report } from './report.ts'
import { type JudgedCase, type Measurement, markedRow, perSecond } from './result.ts'

const clients: readonly Program[] = ['crane', 'skopeo', 'oras']

/**
 * The tables of the README, one for the client and one for the server: a line for each case, a column for each program.
 */
export function renderMarkdown(report: Report): string {
  const measured = report.cases.filter(({ rows }) => rows.length > 0)
  const ofServer = measured.filter(({ work }) => work !== undefined)
  const ofClient = measured.filter(({ work }) => work === undefined)
  const tables = [tableOf(ofClient, clients), tableOf(ofServer, ['docker-registry'])].flat()
  return [...tables, ...describeReport(report).map(line => `${line}.  `)].join('\n')
}

function tableOf(cases: readonly JudgedCase[], candidates: readonly Program[]): string[] {
  if (cases.length === 0) return []
  const found = new Set(cases.flatMap(({ rows }) => rows.map(row => row.peer)))
  const peers = candidates.filter(peer => found.has(peer))
  const lines = [
    ['case', 'dray', ...peers, 'goals'],
    ['---', ...['', ...peers].map(() => '--:'), '---'],
    ...cases.map(result => [
      result.name,
      ours(result),
      ...peers.map(peer => theirs(result, peer)),
      goals(result),
    ]),
  ]
  return [...lines.map(cells => `| ${cells.join(' | ')} |`), '']
}

function ours(result: JudgedCase): string {
  const row = markedRow(result)
  return row === undefined ? '' : figures(result, row.ours)
}

/** With our time as a ratio to theirs, then theirs; bold is the fastest of those that verify. */
function theirs(result: JudgedCase, peer: Program): string {
  const row = result.rows.find(each => each.peer === peer)
  if (row?.theirs === undefined) return ''
  const ratio = row.ratio?.toFixed(2) ?? ''
  return `${row.best ? `**${ratio}**` : ratio}: ${figures(result, row.theirs)}`
}

function figures(result: JudgedCase, measurement: Measurement): string {
  const { wallMs, memoryMb, requests, cpuMs } = measurement
  const memory = memoryMb === undefined ? [] : [`${Math.round(memoryMb)} MB`]
  const rate = perSecond(result, measurement)
  if (rate !== undefined) {
    const amount = `${Math.round(rate)}${result.work?.unit === 'MB' ? ' MB' : ''}/s`
    return [amount, ...memory, ...(cpuMs === undefined ? [] : [`${Math.round(cpuMs)} ms`])].join(', ')
  }
  return [`${Math.round(wallMs)} ms`, ...memory, ...(requests === 0 ? [] : [`${requests} req`])].join(', ')
}

/** That memory is within its bounds need not be said in every line. */
function goals({ judgements }: JudgedCase): string {
  const telling = judgements.filter(({ goal, met }) => goal.measure !== 'memory' || !met)
  return telling.map(describeJudgement).join('; ')
}

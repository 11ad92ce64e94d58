/**
 * `npm run bench`: the built program beside the peers that are on this machine, in turns, against real registries on
 * memory-backed folders; and `dray serve` beside docker-registry, both given the same work.
 *
 *     npm run bench -- [--only TEXT]… [--rounds N] [--large] [--table | --markdown | --json] [--from FILE]
 *
 * `--only` chooses the cases whose names have the text (`serve:` those about the server); `--large` adds those with
 * gigabytes; `--from` shows what `--json` wrote, without measuring. From the environment: `BENCH_ROUNDS`, `BENCH_NODE` (the
 * Node that runs our program) and `BENCH_DRAY` (another build of it).
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { cases, memoryGoal } from './cases.ts'
import { type Goal, judge } from './goals.ts'
import { renderMarkdown } from './markdown.ts'
import { hasMeter } from './measure.ts'
import { measureCase } from './measure-case.ts'
import { findVersions } from './programs.ts'
import { describeMachine, type Report } from './report.ts'
import type { CaseResult } from './result.ts'
import { measureServing } from './serving/measure-serving.ts'
import { servingCases } from './serving/serving-cases.ts'
import { renderTable } from './table.ts'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: process.env.BENCH_ROUNDS ?? '5' },
    large: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    from: { type: 'string' },
  },
})
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())
try {
  const report = options.from === undefined ? await bench() : JSON.parse(await readFile(options.from, 'utf8'))
  console.log(render(report))
  if (report.cases.some(({ faults }: CaseResult) => faults.length > 0)) process.exitCode = 1
} catch (error) {
  if (!interruption.signal.aborted) throw error
  console.error('interrupted; all that was started has ended')
  process.exitCode = 130
}

async function bench(): Promise<Report> {
  const rounds = Number(options.rounds)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds ${options.rounds}: not a number of rounds`)
  const isChosen = ({ name }: { name: string }) => (options.only ?? ['']).some(text => name.includes(text))
  const chosen = [...cases.filter(({ large }) => options.large || !large), ...servingCases].filter(isChosen)
  const meter = await hasMeter()
  const say = (text: string) => console.error(text)
  const how = { rounds, meter, say, signal: interruption.signal }
  const measured: { readonly goals: readonly Goal[]; readonly result: CaseResult }[] = []
  for (const each of chosen) {
    if ('load' in each) measured.push({ goals: each.goals, result: await measureServing(each, how) })
    else measured.push({ goals: [...(each.goals ?? []), memoryGoal], result: await measureCase(each, how) })
  }
  const results = measured.map(({ result }) => result)
  const judged = measured.map(({ goals, result }) => ({
    ...result,
    judgements: result.skipped === undefined ? goals.map(goal => judge(goal, result, results)) : [],
  }))
  return {
    date: new Date().toISOString(),
    machine: await describeMachine(),
    versions: await findVersions(),
    rounds,
    meter,
    cases: judged,
  }
}

function render(report: Report): string {
  if (options.json) return JSON.stringify(report, undefined, 2)
  return options.markdown ? renderMarkdown(report) : renderTable(report)
}

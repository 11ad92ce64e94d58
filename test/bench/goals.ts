import type { Program } from './case.ts'
import { type CaseResult, markedRow } from './result.ts'

/** A figure to reach; each is an upper limit, but for the rate. */
export type Goal =
  /** Wall time as a ratio to a peer's, or to that of the best peer that verifies. */
  | { readonly measure: 'wall'; readonly to: Program | 'best'; readonly atMost: number }
  /** What is done in a second as a ratio to what a peer does. */
  | { readonly measure: 'rate'; readonly to: Program; readonly atLeast: number }
  /** Requests that the registries saw. */
  | { readonly measure: 'requests'; readonly atMost: number }
  /** Peak memory in MB. */
  | { readonly measure: 'memory'; readonly atMost: number }
  /** Milliseconds of processor time more than a peer's. */
  | { readonly measure: 'processor'; readonly above: Program; readonly atMost: number }
  /** Peak memory in MB more than in another case. */
  | { readonly measure: 'growth'; readonly over: string; readonly atMost: number }

/** What came of a goal. */
export interface Judgement {
  readonly goal: Goal
  /** The peer in whose row it stands; undefined for a case without peers. */
  readonly peer: Program | undefined
  /** Undefined where it could not be measured. */
  readonly value: number | undefined
  readonly met: boolean | undefined
}

/** Compares the figures of a case with a goal; `all` is where other cases are found. */
export function judge(goal: Goal, result: CaseResult, all: readonly CaseResult[]): Judgement {
  const value = figureOf(goal, result, all)
  const met = value === undefined ? undefined : isMet(goal, value)
  return { goal, peer: peerOf(goal, result), value, met }
}

/** `wall ≤ 0.75 of the best: 0.71 ✓` */
export function describeJudgement({ goal, value, met }: Judgement): string {
  const verdict = value === undefined ? 'not measured' : `${shown(goal, value)} ${met ? '✓' : '✗'}`
  return `${limitOf(goal)}: ${verdict}`
}

function isMet(goal: Goal, value: number): boolean {
  return goal.measure === 'rate' ? value >= goal.atLeast : value <= goal.atMost
}

function figureOf(goal: Goal, result: CaseResult, all: readonly CaseResult[]): number | undefined {
  const { dray } = result
  switch (goal.measure) {
    case 'wall':
      return ratioTo(peerOf(goal, result), result)
    case 'rate':
      return inverse(ratioTo(goal.to, result))
    case 'requests':
      return dray?.requests
    case 'memory':
      return dray?.memoryMb
    case 'processor':
      return difference(dray?.cpuMs, result.rows.find(row => row.peer === goal.above)?.theirs?.cpuMs)
    case 'growth':
      return difference(dray?.memoryMb, all.find(other => other.name === goal.over)?.dray?.memoryMb)
  }
}

function peerOf(goal: Goal, result: CaseResult): Program | undefined {
  if (goal.measure === 'processor') return goal.above
  if (goal.measure === 'rate') return goal.to
  if (goal.measure === 'wall' && goal.to !== 'best') return goal.to
  if (goal.measure === 'wall') return result.rows.find(row => row.best)?.peer
  return markedRow(result)?.peer
}

function ratioTo(peer: Program | undefined, { rows }: CaseResult): number | undefined {
  return rows.find(row => row.peer === peer)?.ratio
}

function inverse(ratio: number | undefined): number | undefined {
  return ratio && 1 / ratio
}

function difference(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b
}

function limitOf(goal: Goal): string {
  switch (goal.measure) {
    case 'wall':
      return `wall ≤ ${goal.atMost} of ${goal.to === 'best' ? 'the best' : goal.to}`
    case 'rate':
      return `rate ≥ ${goal.atLeast} of ${goal.to}`
    case 'requests':
      return `≤ ${goal.atMost} requests`
    case 'memory':
      return `≤ ${goal.atMost} MB`
    case 'processor':
      return `processor ≤ ${goal.atMost} ms above ${goal.above}`
    case 'growth':
      return `memory ≤ ${goal.atMost} MB above "${goal.over}"`
  }
}

function shown(goal: Goal, value: number): string {
  return goal.measure === 'wall' || goal.measure === 'rate' ? value.toFixed(2) : String(Math.round(value))
}

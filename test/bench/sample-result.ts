import type { Program } from './case.ts'
import { type CaseResult, type Measurement, markBest, rowOf } from './result.ts'

const verifying: readonly Program[] = ['crane', 'skopeo']

/** A case in which ours took 100 ms, 70 ms of the processor and 60 MB, and the peers the given milliseconds. */
export function sampleResult(name: string, times: Readonly<Partial<Record<Program, number>>>): CaseResult {
  const ours: Measurement = { wallMs: 100, cpuMs: 70, memoryMb: 60, requests: 9 }
  const rows = Object.entries(times).map(([name, wallMs]) => {
    const peer = name as Program
    return rowOf(peer, verifying.includes(peer), [
      { ours, theirs: { wallMs, cpuMs: 30, memoryMb: 20, requests: 15 } },
    ])
  })
  return { name, dray: ours, rows: markBest(rows), faults: [] }
}

import type { Program } from './case.ts'
import type { Judgement } from './goals.ts'
import { mean, median } from './statistics.ts'

/** What one run of one program cost. */
export interface Measurement {
  readonly wallMs: number
  /** Time of the processor, the program's own and the system's for it; undefined without GNU time. */
  readonly cpuMs: number | undefined
  /** The most memory that was resident, in MB of 1024² bytes; undefined without GNU time. */
  readonly memoryMb: number | undefined
  /** How many requests the registries of both ends answered. */
  readonly requests: number
  /** Time of the processor that those took who gave a server its work, where it is the server that is measured. */
  readonly loadCpuMs?: number | undefined
}

/** One run of ours beside one of a peer's. */
export interface Pair {
  readonly ours: Measurement
  /** Undefined where there is nobody to compare with. */
  readonly theirs: Measurement | undefined
}

/** A case against one peer; each figure sums up the rounds (`summarise`). */
export interface Row {
  /** Undefined where there is nobody to compare with. */
  readonly peer: Program | undefined
  readonly verifies: boolean
  /** The fastest of those that verify. */
  readonly best: boolean
  readonly ours: Measurement
  readonly theirs: Measurement | undefined
  /** Wall time of ours to the peer's, the median of all pairs; below 1 is faster. */
  readonly ratio: number | undefined
}

export interface CaseResult {
  readonly name: string
  /** Over all its runs, whoever the peer was; undefined when none came to its end. */
  readonly dray: Measurement | undefined
  readonly rows: readonly Row[]
  /** What each run had to do, where it is a server's speed that counts; MB are of 1024² bytes. */
  readonly work?: { readonly amount: number; readonly unit: 'requests' | 'MB' } | undefined
  /** Why there are no rows. */
  readonly skipped?: string | undefined
  /** What went wrong. */
  readonly faults: readonly string[]
}

export interface JudgedCase extends CaseResult {
  readonly judgements: readonly Judgement[]
}

/**
 * One figure of many: the median of wall time and requests; of processor time the mean, because GNU time counts in
 * hundredths of a second, which a median of short runs would show; of memory the most.
 */
export function summarise(runs: readonly Measurement[]): Measurement {
  return {
    wallMs: median(runs.map(run => run.wallMs)),
    cpuMs: whereKnown(
      runs.map(run => run.cpuMs),
      mean,
    ),
    memoryMb: whereKnown(
      runs.map(run => run.memoryMb),
      known => Math.max(...known),
    ),
    requests: median(runs.map(run => run.requests)),
    ...(runs.every(run => run.loadCpuMs === undefined)
      ? {}
      : { loadCpuMs: mean(runs.flatMap(run => run.loadCpuMs ?? [])) }),
  }
}

/** The row that the pairs with a peer make. */
export function rowOf(peer: Program | undefined, verifies: boolean, pairs: readonly Pair[]): Row {
  const theirs = pairs.flatMap(pair => pair.theirs ?? [])
  const ratios = pairs.flatMap(pair => (pair.theirs ? pair.ours.wallMs / pair.theirs.wallMs : []))
  return {
    peer,
    verifies,
    best: false,
    ours: summarise(pairs.map(pair => pair.ours)),
    theirs: theirs.length > 0 ? summarise(theirs) : undefined,
    ratio: ratios.length > 0 ? median(ratios) : undefined,
  }
}

/** Marks the fastest of those that verify. */
export function markBest(rows: readonly Row[]): Row[] {
  const times = rows.map(row => (row.verifies ? (row.theirs?.wallMs ?? Number.NaN) : Number.NaN))
  const least = Math.min(...times.filter(time => !Number.isNaN(time)))
  return rows.map((row, at) => ({ ...row, best: times[at] === least }))
}

/** Where what is said of the whole case belongs: the best peer's row, else the first. */
export function markedRow(result: CaseResult): Row | undefined {
  return result.rows.find(row => row.best) ?? result.rows[0]
}

/** How much a server did in a second, in the unit of the case's work. */
export function perSecond({ work }: CaseResult, { wallMs }: Measurement): number | undefined {
  return work && (work.amount * 1000) / wallMs
}

function whereKnown(
  values: readonly (number | undefined)[],
  sumUp: (known: readonly number[]) => number,
): number | undefined {
  const known = values.filter(value => value !== undefined)
  return known.length === 0 ? undefined : sumUp(known)
}

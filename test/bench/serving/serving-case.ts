import type { Goal } from '../goals.ts'
import type { LoadName } from './loads.ts'

/** One line of the bench about the embedded registry beside docker-registry. */
export interface ServingCase {
  readonly name: string
  readonly load: LoadName
  /** How many are used at once. */
  readonly connections: number
  /** How many jobs a turn has. */
  readonly jobs: number
  /**
   * Work that leaves something behind has a new server in each turn, which is given so many jobs before; undefined for
   * other work, which has the same two servers in all turns.
   */
  readonly warmUp?: number | undefined
  /** What a job moves, in MB of 1024² bytes, where that is what counts; else its requests do. */
  readonly megabytes?: number | undefined
  readonly goals: readonly Goal[]
}

import type { Case, Program } from './case.ts'
import { type MeasureOptions, measure } from './measure.ts'
import { copyKnows, isInstalled } from './programs.ts'
import {
  type CaseResult,
  type Measurement,
  markBest,
  type Pair,
  type Row,
  rowOf,
  summarise,
} from './result.ts'
import { hasRoom, type Stage, setStage } from './stage.ts'
import { takeTurns } from './turns.ts'

export interface BenchOptions extends Omit<MeasureOptions, 'registries'> {
  /** How many rounds count; one more goes before them. */
  readonly rounds: number
  /** Hears of what is being done. */
  readonly say: (text: string) => void
}

/** Measures our program beside each peer that is installed. What goes wrong is told in `faults`. */
export async function measureCase(of: Case, options: BenchOptions): Promise<CaseResult> {
  const skipped = await reasonToSkip(of)
  if (skipped !== undefined) return { name: of.name, dray: undefined, rows: [], skipped, faults: [] }
  const rows: Row[] = []
  const faults: string[] = []
  const ours: Measurement[] = []
  const note = (error: unknown) => {
    options.signal.throwIfAborted()
    faults.push(error instanceof Error ? error.message : String(error))
  }
  try {
    await using stage = await setStage(of, options.signal)
    for (const peer of opponents(of)) {
      options.say(`${of.name}${peer === undefined ? '' : `, beside ${peer}`}`)
      try {
        const pairs = await measurePairs(of, { stage, peer, options })
        ours.push(...pairs.map(pair => pair.ours))
        rows.push(rowOf(peer, peer !== undefined && of.verb.verifies.includes(peer), pairs))
      } catch (error) {
        note(error)
      }
    }
  } catch (error) {
    note(error)
  }
  return { name: of.name, dray: ours.length > 0 ? summarise(ours) : undefined, rows: markBest(rows), faults }
}

async function reasonToSkip({ image, needs, peers }: Case): Promise<string | undefined> {
  if (image !== undefined && !(await hasRoom(image))) return 'there is no room for it'
  if (needs !== undefined && !(await copyKnows(needs))) return `dray copy has no ${needs}`
  if (peers?.length === 1 && !peers.every(isInstalled)) return `${peers[0]} is not installed`
  return undefined
}

/** Those that are there; nobody, once, where there are none. */
function opponents({ verb, peers = verb.peers }: Case): readonly (Program | undefined)[] {
  const present = peers.filter(isInstalled)
  return present.length > 0 ? present : [undefined]
}

interface Contest {
  readonly stage: Stage
  readonly peer: Program | undefined
  readonly options: BenchOptions
}

async function measurePairs(of: Case, { stage, peer, options }: Contest): Promise<Pair[]> {
  const turn = async (program: Program): Promise<Measurement> => {
    await using act = await stage.open()
    const command = of.verb.tell(act.scene)[program]
    if (command === undefined) throw new Error(`${program} was not told how to ${of.name}`)
    const measured = await measure(command, { ...options, registries: act.registries })
    if (!(await act.hasArrived())) throw new Error(`${of.name}: ${program} left another image`)
    return measured
  }
  return takeTurns<Program>(turn, { peer, rounds: options.rounds })
}

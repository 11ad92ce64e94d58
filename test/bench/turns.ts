import type { Measurement, Pair } from './result.ts'

export interface TurnsOptions<Who> {
  /** Nobody, where there is no one to compare with. */
  readonly peer: Who | undefined
  /** How many rounds count; one more goes before them. */
  readonly rounds: number
}

/** Measures ours and a peer in turns, with another to begin each round, so that what else the machine does hits both. */
export async function takeTurns<Who>(
  turn: (who: Who | 'dray') => Promise<Measurement>,
  { peer, rounds }: TurnsOptions<Who>,
): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const before = round % 2 === 1 && peer !== undefined ? await turn(peer) : undefined
    const ours = await turn('dray')
    const theirs = before ?? (peer === undefined ? undefined : await turn(peer))
    if (round > 0) pairs.push({ ours, theirs })
  }
  return pairs
}

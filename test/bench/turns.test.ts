import { expect, it } from 'vitest'
import { takeTurns } from './turns.ts'

const measurement = { cpuMs: undefined, memoryMb: undefined, requests: 0 }

it('both take turns, another begins each round, and the first round is not counted', async () => {
  const order: string[] = []
  const turn = async (who: string) => ({ ...measurement, wallMs: order.push(who) })
  const pairs = await takeTurns<string>(turn, { peer: 'crane', rounds: 2 })
  expect(order).toEqual(['dray', 'crane', 'crane', 'dray', 'dray', 'crane'])
  expect(pairs.map(({ ours, theirs }) => [ours.wallMs, theirs?.wallMs])).toEqual([
    [4, 3],
    [5, 6],
  ])
})

it('alone, ours has every turn', async () => {
  const turn = async (who: string) => ({ ...measurement, wallMs: who.length })
  const pairs = await takeTurns(turn, { peer: undefined, rounds: 1 })
  expect(pairs).toEqual([{ ours: { ...measurement, wallMs: 4 }, theirs: undefined }])
})

import { expect, it } from 'vitest'
import type { Scene } from './case.ts'
import { cases, coldRequests } from './cases.ts'

const scene: Scene = {
  source: 'a:1/image:big',
  destination: 'b:2/image:big',
  layout: '/layout',
  authority: undefined,
}

it('a cold copy needs three requests for each blob and manifest, and one more for a single image', () => {
  expect(coldRequests({ platforms: 8, layers: 20, layerBytes: 1 })).toBe(531)
  expect(coldRequests({ platforms: 1, layers: 1, layerBytes: 1 })).toBe(10)
})

it('names tell cases apart', () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
})

it.each(cases)(
  'every program is told how to $name, over plain HTTP and over TLS',
  ({ verb, peers = verb.peers }) => {
    for (const authority of [undefined, '/ca.pem']) {
      const told = verb.tell({ ...scene, authority })
      expect(Object.keys(told)).toEqual(expect.arrayContaining(['dray', ...peers]))
      const text = JSON.stringify(told)
      expect(text).not.toContain('undefined')
      expect(text.includes('insecure",') || text.includes('plain-http')).toBe(
        authority === undefined && told.crane !== undefined,
      )
    }
  },
)

it.each(cases)(
  'the goals of $name name programs that it runs and cases that there are',
  ({ goals, verb, peers }) => {
    for (const goal of goals ?? []) {
      if (goal.measure === 'growth') expect(cases.map(({ name }) => name)).toContain(goal.over)
      if (goal.measure === 'processor') expect(peers ?? verb.peers).toContain(goal.above)
      if (goal.measure === 'wall') expect(['best', ...(peers ?? verb.peers)]).toContain(goal.to)
    }
  },
)

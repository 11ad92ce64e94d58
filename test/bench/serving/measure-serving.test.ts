import { expect, it } from 'vitest'
import { requirePeers } from '../../support/peers.ts'
import { measureServing } from './measure-serving.ts'
import type { ServingCase } from './serving-case.ts'

const push: ServingCase = {
  ...{ name: 'push', load: 'push 1 KB', connections: 2, jobs: 6, warmUp: 2 },
  goals: [{ measure: 'rate', to: 'docker-registry', atLeast: 1.5 }],
}
const options = { rounds: 1, meter: true, say: () => undefined, signal: new AbortController().signal }

it.skipIf(!requirePeers('docker-registry'))('both registries do the same work', async () => {
  const result = await measureServing(push, options)
  expect(result.faults).toEqual([])
  expect(result.work).toEqual({ amount: 12, unit: 'requests' })
  expect(result.rows).toMatchObject([
    { peer: 'docker-registry', ours: { requests: 12 }, theirs: { requests: 12 } },
  ])
  expect(result.rows[0]?.ratio).toBeGreaterThan(0)
})

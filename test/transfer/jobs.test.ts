import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { copyImage } from '../../src/transfer/copy.ts'
import { addBlob, addImage, addIndex, bytesOf, stores, tag } from './images.ts'

test.each([1, 3])(
  'a copy with jobs: %i has so many manifests or blobs under way, and no more',
  async jobs => {
    const { source, destination } = stores()
    const images = Array.from({ length: 9 }, (_, at) =>
      addImage(source, { platform: `linux/a${at}`, layers: [bytesOf(100 + at), bytesOf(200 + at)] }),
    )
    // Two indexes side by side, so that a limit of each by itself would be seen.
    const inner = [addIndex(source, images.slice(0, 5)), addIndex(source, images.slice(5))]
    tag(source, '1.0', addIndex(source, inner))
    const reads = slowed(source, 'getManifest')
    const writes = slowed(destination, 'putBlob', 'putManifest')
    await copyImage({ source, from: '1.0', destination, tags: ['1.0'], jobs })
    expect(destination.manifests).toEqual(source.manifests)
    expect({ reads: reads.most, writes: writes.most }).toEqual({ reads: jobs, writes: jobs })
    expect(writes.mostOf).toEqual({ putBlob: jobs, putManifest: jobs })
  },
)

const large = 1024 * 1024

test.each([
  { what: 'large blobs', sizes: Array<number>(20).fill(large), most: 8 },
  { what: 'small blobs', sizes: Array<number>(60).fill(large - 1), most: 24 },
])('a copy without jobs has $most $what under way', async ({ sizes, most }) => {
  expect(await mostUnderWay(sizes)).toBe(most)
})

test.each([5, 12])('a copy with jobs: %i does not ask how large a blob is', async jobs => {
  expect(await mostUnderWay(Array<number>(20).fill(large), jobs)).toBe(jobs)
})

/** How many blobs of the given sizes are put at a time; their bytes are never read. */
async function mostUnderWay(sizes: readonly number[], jobs?: number): Promise<number> {
  const { source, destination } = stores()
  const layers = sizes.map((size, at) => ({ ...addBlob(source, `${at}`), size }))
  tag(source, '1.0', addImage(source, { layers, config: {} }))
  destination.faults.putBlob = async () => 'present'
  const writes = slowed(destination, 'putBlob')
  await copyImage({ source, from: '1.0', destination, tags: ['1.0'], jobs })
  return writes.most
}

type Call = (...args: never[]) => Promise<unknown>

/** Lets calls of a store take a while, and counts how many there are at a time, together and of each kind. */
function slowed<Name extends string>(store: Record<Name, Call>, ...names: readonly Name[]) {
  const seen = { most: 0, mostOf: {} as Record<Name, number> }
  const running = new Map<Name, number>()
  for (const name of names) {
    seen.mostOf[name] = 0
    const call: Call = store[name].bind(store)
    store[name] = async (...args) => {
      running.set(name, (running.get(name) ?? 0) + 1)
      seen.mostOf[name] = Math.max(seen.mostOf[name], running.get(name) ?? 0)
      seen.most = Math.max(
        seen.most,
        [...running.values()].reduce((sum, count) => sum + count, 0),
      )
      for (let wait = 0; wait < 5; wait += 1) await turn()
      try {
        return await call(...args)
      } finally {
        running.set(name, (running.get(name) ?? 0) - 1)
      }
    }
  }
  return seen
}

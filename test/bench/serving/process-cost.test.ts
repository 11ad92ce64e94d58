import { expect, it } from 'vitest'
import { start } from '../../support/run.ts'
import { forgetPeak, parseCost, readCost } from './process-cost.ts'

const stat = '7 (a) b (c) S 1 2 3 0 -1 4194304 10 0 0 0 150 25 3 4 20 0 11 0 99 1 2'
const status = 'Name:\ta\nVmPeak:\t  900 kB\nVmHWM:\t   51200 kB\nVmRSS:\t   100 kB\n'

it('what a process took is read, whatever it is called', () => {
  expect(parseCost(stat, status)).toEqual({ cpuMs: 1750, memoryMb: 50 })
})

it.skipIf(process.platform !== 'linux')('a process has a cost, and its peak can be forgotten', async () => {
  const script =
    'let a = Buffer.alloc(300 * 2 ** 20, 1); a = undefined; gc(); console.log("free"); setInterval(() => {}, 1000)'
  await using child = await start(process.execPath, ['--expose-gc', '-e', script])
  await child.printed(/free/)
  const before = await readCost(child.pid)
  expect(before?.cpuMs).toBeGreaterThan(0)
  expect(before?.memoryMb).toBeGreaterThan(300)
  await forgetPeak(child.pid)
  expect((await readCost(child.pid))?.memoryMb).toBeLessThan(250)
})

it('a process that is not there has none', async () => {
  expect(await readCost(2 ** 30)).toBeUndefined()
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requirePeers } from '../support/peers.ts'
import { startDray } from '../support/run.ts'
import { type BadRoad, type BigImage, megabyte, openBadRoad, startBigImage } from './bad-road.ts'
import { dray, drayFails, patience } from './dray.ts'

describe.skipIf(!requirePeers('docker-registry'))('a copy from a registry over a bad road', patience, () => {
  let big: BigImage
  beforeAll(async () => {
    big = await startBigImage()
  })
  afterAll(() => big[Symbol.asyncDispose]())

  const download = ({ image, into }: BadRoad, ...flags: string[]) => [
    'copy',
    ...flags,
    image,
    `oci:${into}:big`,
  ]

  it('goes on at the byte where the connection was cut', async () => {
    await using road = await openBadRoad(big)
    const path = big.blobPath
    road.proxy.spoil({ method: 'GET', path, fault: { kind: 'cut', afterBytes: 7 * megabyte } })
    const { stderr } = await dray(download(road))
    expect(stderr).toMatch(/^retry: .*; trying again in \d+ms$/m)
    await road.expectArrived()
    const [first, second, ...more] = road.requestsOf('GET', path)
    expect(more).toEqual([])
    const start = Number(/^bytes=(\d+)-$/.exec(second?.headers.range ?? '')?.[1])
    expect(start).toBeGreaterThan(0)
    expect(start).toBeLessThanOrEqual(first?.sent ?? 0)
    expect(second?.sent).toBe(20 * megabyte - start)
  })

  it('goes on where a body ended too early', async () => {
    await using road = await openBadRoad(big)
    const path = big.blobPath
    road.proxy.spoil({ method: 'GET', path, fault: { kind: 'truncate', afterBytes: 3 * megabyte } })
    await dray(download(road, '--quiet'))
    await road.expectArrived()
    expect(road.requestsOf('GET', path)[1]?.headers.range).toBe(`bytes=${3 * megabyte}-`)
  })

  it('goes on when a body stalls and then comes again', async () => {
    await using road = await openBadRoad(big)
    const path = big.blobPath
    road.proxy.spoil({ method: 'GET', path, fault: { kind: 'stall', afterBytes: megabyte } })
    await dray(download(road, '--quiet', '--timeout', '1s'))
    await road.expectArrived()
    expect(road.requestsOf('GET', path)).toHaveLength(2)
  })

  it('gives up on a body that stalls again and again, and leaves no part of a file', async () => {
    await using road = await openBadRoad(big)
    road.proxy.spoil({ method: 'GET', path: big.blobPath, times: 9, fault: { kind: 'stall', afterBytes: 0 } })
    const args = download(road, '--quiet', '--timeout', '500ms', '--retries', '1')
    expect(await drayFails(5, args)).toMatch(/the answer stalled\nhint: .*--timeout/)
    expect(await road.parts()).toEqual([])
  })

  it('takes no byte that is not right, and tags nothing', async () => {
    await using road = await openBadRoad(big)
    const path = big.blobPath
    road.proxy.spoil({ method: 'GET', path, fault: { kind: 'corrupt', atByte: 12 * megabyte } })
    expect(await drayFails(6, download(road, '--quiet'))).toContain(big.layer)
    expect(await road.parts()).toEqual([])
    await drayFails(3, ['digest', `oci:${road.into}:big`])
    expect(road.requestsOf('GET', path)).toHaveLength(1)
  })

  it('takes no manifest that is not right', async () => {
    await using road = await openBadRoad(big)
    road.proxy.spoil({ method: 'GET', path: /manifests/, fault: { kind: 'truncate', afterBytes: 100 } })
    await drayFails(6, download(road, '--quiet'))
    await drayFails(3, ['digest', `oci:${road.into}:big`])
  })

  it('waits as long as a busy registry says, and says so', async () => {
    await using road = await openBadRoad(big)
    const fault = { kind: 'answer', status: 503, headers: { 'retry-after': '1' } } as const
    road.proxy.spoil({ method: 'GET', path: /manifests/, fault })
    const { stderr } = await dray(download(road))
    expect(stderr).toMatch(/^retry: .* answered 503; trying again in 1\.0s$/m)
    await road.expectArrived()
  })

  it('does not wait longer than it may', async () => {
    await using road = await openBadRoad(big)
    road.proxy.spoil({ fault: { kind: 'answer', status: 503, headers: { 'retry-after': '3600' } } })
    const start = performance.now()
    await drayFails(5, download(road, '--quiet'))
    expect(performance.now() - start).toBeLessThan(5000)
    expect(road.proxy.requests).toHaveLength(1)
  })

  it.each([
    ['', []],
    [', which `timeout` and npm tell it twice', ['SIGTERM']],
  ] as const)(
    'leaves no part of a file under its final name when it is interrupted%s, and can be done again',
    async (_, echoes) => {
      await using road = await openBadRoad(big)
      const afterBytes = 5 * megabyte
      road.proxy.spoil({ method: 'GET', path: big.blobPath, fault: { kind: 'stall', afterBytes } })
      const running = await startDray(download(road, '--progress', 'none'))
      const sent = () => road.requestsOf('GET', big.blobPath)[0]?.sent
      await expect.poll(sent, { timeout: 20_000 }).toBe(afterBytes)
      await expect.poll(() => road.parts()).not.toEqual([])
      for (const signal of ['SIGINT', ...echoes] as const) running.kill(signal)
      expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: 'dray: interrupted\n' })
      const parts = await road.parts()
      expect(parts.filter(name => !name.startsWith('.partial'))).toEqual([])
      await dray(download(road, '--quiet'))
      await road.expectArrived()
    },
  )
})

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { requirePeers } from '../support/peers.ts'
import { startDray } from '../support/run.ts'
import { type BadRoad, type BigImage, listing, megabyte, openBadRoad, startBigImage } from './bad-road.ts'
import { dray, drayFails, patience } from './dray.ts'

describe.skipIf(!requirePeers('docker-registry'))('a copy to a registry over a bad road', patience, () => {
  const opened = new AsyncDisposableStack()
  let big: BigImage
  let embedded: EmbeddedRegistry
  beforeAll(async () => {
    big = opened.use(await startBigImage())
    embedded = opened.use(await startEmbeddedRegistry())
  })
  afterAll(() => opened.disposeAsync())

  const uploads = /\/blobs\/uploads\/./
  const upload = ({ proxy }: BadRoad, name: string, ...flags: string[]) => [
    'copy',
    ...flags,
    `oci:${big.layout.path}:big`,
    `${proxy.host}/${name}:big`,
  ]

  async function expectArrived(road: BadRoad, name: string): Promise<void> {
    await dray(['copy', '--quiet', `${big.registry.host}/${name}:big`, `oci:${road.into}:big`])
    await road.expectArrived()
  }

  /** The upload sessions that docker-registry can go on with; of cancelled ones it leaves folders behind. */
  async function sessionsOf(repository: string): Promise<string[]> {
    const { storage } = big.registry
    const names = await listing(join(storage, 'docker/registry/v2/repositories', repository, '_uploads'))
    return names.filter(name => name.endsWith('/startedat'))
  }

  const embeddedSessions = () => listing(join(embedded.dir, '_uploads'))

  it('starts an upload again that was cut, and cancels the one before', async () => {
    await using road = await openBadRoad(big)
    for (const afterBytes of [200, 9 * megabyte])
      road.proxy.spoil({ method: 'PUT', path: uploads, fault: { kind: 'cut-upload', afterBytes } })
    const { stderr } = await dray(upload(road, 'cut', '--jobs', '1'))
    expect(stderr).toMatch(/^retry: /m)
    await expectArrived(road, 'cut')
    const cancelled = road.requestsOf('DELETE', uploads).map(({ path }) => path)
    const cut = road.requestsOf('PUT', uploads).filter(({ status }) => status === 0)
    expect(cut).toHaveLength(2)
    expect(cancelled).toEqual(cut.map(({ path }) => path))
  })

  it('sends a blob again to a registry that was busy', async () => {
    await using road = await openBadRoad(big)
    const busy = { kind: 'answer', status: 503, headers: { 'retry-after': '1' } } as const
    road.proxy.spoil({ method: 'PUT', path: uploads, fault: busy })
    road.proxy.spoil({ method: 'PUT', path: /manifests/, fault: { kind: 'answer', status: 502 } })
    await dray(upload(road, 'busy', '--quiet'))
    await expectArrived(road, 'busy')
    expect(await sessionsOf('busy')).toEqual([])
  })

  it('tags nothing when one blob cannot be sent', async () => {
    await using road = await openBadRoad(big)
    road.proxy.spoil({ method: 'PUT', path: uploads, times: 99, fault: { kind: 'refuse' } })
    await drayFails(5, upload(road, 'hopeless', '--quiet', '--retries', '1'))
    await drayFails(3, ['digest', `${big.registry.host}/hopeless:big`])
    expect(road.requestsOf('PUT', /manifests/)).toEqual([])
    expect(await sessionsOf('hopeless')).toEqual([])
  })

  it('tags nothing when the source was not right', async () => {
    await using road = await openBadRoad(big)
    const atByte = 19 * megabyte
    road.proxy.spoil({ method: 'GET', path: big.blobPath, fault: { kind: 'corrupt', atByte } })
    await drayFails(6, ['copy', '--quiet', road.image, `${embedded.host}/corrupt:big`])
    await drayFails(3, ['digest', `${embedded.host}/corrupt:big`])
    expect(await embeddedSessions()).toEqual([])
  })

  it.each([
    // distribution 2.x takes no cancellation once it has got a part of a body.
    ['before the first byte of a blob, docker-registry', 0],
    ['in the middle of a blob, dray serve', 5 * megabyte],
  ])('tags nothing and leaves no session behind when it is interrupted %s', async (_, afterBytes) => {
    await using road = await openBadRoad(big)
    const isOurs = afterBytes > 0
    const sessions = () => (isOurs ? embeddedSessions() : sessionsOf('interrupted'))
    const to = `${isOurs ? embedded.host : big.otherName}/interrupted:big`
    // The source stalls, so the upload at the other end is open and waits.
    road.proxy.spoil({ method: 'GET', path: big.blobPath, fault: { kind: 'stall', afterBytes } })
    const running = await startDray(['copy', '--progress', 'none', road.image, to])
    await expect.poll(sessions, { timeout: 20_000 }).not.toEqual([])
    await expect
      .poll(() => road.requestsOf('GET', big.blobPath)[0]?.sent, { timeout: 20_000 })
      .toBe(afterBytes)
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ code: 130, stdout: '', stderr: 'dray: interrupted\n' })
    expect(await sessions()).toEqual([])
    await drayFails(3, ['digest', to])
  })

  it('asks where an upload stands when the registry wants to know that to cancel it', async () => {
    await using front = await startFaultyProxy(`http://${embedded.host}`)
    front.spoil({ method: 'PUT', path: uploads, fault: { kind: 'cut-upload', afterBytes: 10 } })
    front.spoil({ method: 'GET', path: uploads, fault: { kind: 'answer', status: 404 } })
    front.spoil({ method: 'DELETE', path: uploads, fault: { kind: 'answer', status: 416 } })
    await dray(['copy', '--quiet', '--jobs', '1', `oci:${big.layout.path}:big`, `${front.host}/front:big`])
    const [first] = front.requests.filter(({ path }) => uploads.test(path))
    const asked = front.requests.filter(({ path }) => path === first?.path)
    expect(asked.map(({ method, status }) => [method, status])).toEqual([
      ['PUT', 0],
      ['GET', 404],
      ['DELETE', 416],
      ['GET', 204],
      ['DELETE', 204],
    ])
    expect(await embeddedSessions()).toEqual([])
  })
})

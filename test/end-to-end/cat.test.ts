import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { imageOf, imageOfTexts, layerOf } from '../filesystem/layers.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../support/embedded-registry.ts'
import { startFaultyProxy } from '../support/faulty-proxy.ts'
import { fixturePath } from '../support/fixtures.ts'
import { dray, drayFails, patience } from './dray.ts'
import { pushImage } from './looking-inside.ts'

describe('dray cat', patience, () => {
  const opened = new AsyncDisposableStack()
  const hello = `oci:${fixturePath('hello')}:1.1`
  let registry: EmbeddedRegistry
  let large: string
  beforeAll(async () => {
    registry = opened.use(await startEmbeddedRegistry())
    const bottom = await layerOf('etc/old = 1', { name: 'a', content: randomBytes(1000) })
    const top = await layerOf(
      'etc/new -> first',
      'etc/first = top',
      { name: 'big', content: randomBytes(48_000_000) },
      'last = 1',
    )
    large = await pushImage(registry, 'large', await imageOf([bottom, top], { compress: bytes => bytes }))
  })
  afterAll(() => opened.disposeAsync())

  it('prints a file of an image', async () => {
    expect((await dray(['cat', hello, '/etc/passwd'])).stdout).toMatch(/^root:x:0:0:/)
    expect((await dray(['cat', '--verify', hello, 'etc/passwd'])).stdout).toMatch(/^root:x:0:0:/)
    expect((await dray(['cat', large, 'etc/new'])).stdout).toBe('top')
  })

  it('reads of a layer no more than it takes', async () => {
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    await dray(['cat', large.replace(registry.host, proxy.host), 'etc/first'])
    const blobs = proxy.requests.filter(({ path }) => path.includes('/blobs/'))
    expect(blobs).toHaveLength(1)
    // What is on its way in buffers of the system is more than what is read.
    expect(blobs[0]?.sent).toBeLessThan(16_000_000)
  })

  it('reads layers to their end to verify them, and the config too', async () => {
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    await dray(['cat', '--verify', large.replace(registry.host, proxy.host), 'etc/first'])
    const blobs = proxy.requests.filter(({ path }) => path.includes('/blobs/'))
    expect(blobs.map(({ sent }) => sent > 48_000_000)).toEqual([false, true, true])
  })

  it('looks into one layer alone', async () => {
    const image = await pushImage(registry, 'layers', await imageOfTexts(['a = 1'], ['a = 2'], ['.wh.a']))
    expect((await dray(['cat', '--layer', '1', image, 'a'])).stdout).toBe('1')
    expect((await dray(['cat', '--layer', '2', image, 'a'])).stdout).toBe('2')
    await drayFails(3, ['cat', '--layer', '3', image, 'a'])
  })

  it.each<[number, string[], RegExp]>([
    [3, [hello, '/etc/nope'], /"\/etc\/nope" is not in the image\n$/],
    [1, [hello, 'etc'], /"etc" is a folder, not a file\nhint: /],
    [3, ['--layer', '9', hello, 'etc/passwd'], /no layer "9"\nhint: it has 3/],
    [2, [hello], /missing required argument 'path'/],
  ])('ends with exit code %i for %s', async (code, args, said) => {
    expect(await drayFails(code, ['cat', ...args])).toMatch(said)
  })

  it('prints nothing of a layer that is found wrong with --verify', async () => {
    await using proxy = await startFaultyProxy(`http://${registry.host}`)
    proxy.spoil({ path: /\/blobs\//, fault: { kind: 'corrupt', atByte: 40_000_000 }, times: 9 })
    await drayFails(6, ['cat', '--verify', large.replace(registry.host, proxy.host), 'etc/first'])
  })
})

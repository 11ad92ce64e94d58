import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLayout } from '../../src/layout/layout.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { descriptorOf } from '../../src/oci/manifest.ts'
import { mediaTypes } from '../../src/oci/media-types.ts'
import { start } from '../support/run.ts'
import { type SampleImage, sampleBlob, sampleImage, sampleIndex } from '../support/sample-image.ts'
import { makeTempDir } from '../support/temp-dir.ts'

const program = join(import.meta.dirname, 'serve-process.ts')
const opened = new AsyncDisposableStack()
let dir: string
let urls: readonly string[]

beforeAll(async () => {
  dir = opened.use(await makeTempDir()).path
  const servers = [0, 1].map(async () => {
    const running = opened.use(await start(process.execPath, [program, dir]))
    return (await running.printed(/^http:.*$/m))[0]
  })
  urls = await Promise.all(servers)
})
afterAll(() => opened.disposeAsync())

/** One of the two servers, in turn. */
const urlOf = (number: number) => urls[number % urls.length]

async function ask(number: number, method: string, path: string, body?: Uint8Array): Promise<Response> {
  const headers = { 'Content-Type': mediaTypes.ociManifest }
  return fetch(`${urlOf(number)}/v2/${path}`, { method, headers, ...(body && { body: Buffer.from(body) }) })
}

async function putBlobs(number: number, repository: string, { config, layer }: SampleImage): Promise<void> {
  for (const { descriptor, bytes } of [config, layer]) {
    const put = await ask(number, 'POST', `${repository}/blobs/uploads/?digest=${descriptor.digest}`, bytes)
    expect(put.status).toBe(201)
  }
}

/** All numbers below `count`. */
const each = (count: number) => Array.from({ length: count }, (_, number) => number)

describe('two processes that serve one folder', { timeout: 30_000 }, () => {
  it('lose no tag of those that are pushed to both at the same time', async () => {
    const count = 40
    await Promise.all(
      each(count).map(async number => {
        const image = sampleImage(`image ${number}`)
        await putBlobs(number, 'many/tags', image)
        const path = `many/tags/manifests/v${String(number).padStart(2, '0')}`
        expect((await ask(number, 'PUT', path, image.manifest.bytes)).status).toBe(201)
      }),
    )
    const tags = each(count).map(number => `v${String(number).padStart(2, '0')}`)
    for (const number of [0, 1]) {
      expect(await (await ask(number, 'GET', 'many/tags/tags/list')).json()).toMatchObject({ tags })
    }
    for (const number of each(count)) {
      const got = await ask(number + 1, 'GET', `many/tags/manifests/${tags[number]}`)
      expect(got.headers.get('docker-content-digest')).toBe(sampleImage(`image ${number}`).manifest.digest)
    }
  })

  it('take the same image, blobs and tag at the same time', async () => {
    const image = sampleImage('same')
    await Promise.all(
      each(16).map(async number => {
        await putBlobs(number, 'same', image)
        const put = await ask(number, 'PUT', 'same/manifests/latest', image.manifest.bytes)
        expect(put.status).toBe(201)
      }),
    )
    const layout = await openLayout(join(dir, 'same'))
    expect(await layout.listTags()).toEqual(['latest'])
    expect(await layout.listManifests()).toEqual([expect.objectContaining(descriptorOf(image.manifest))])
    for (const { descriptor, bytes } of [image.config, image.layer]) {
      const got = await ask(1, 'GET', `same/blobs/${descriptor.digest}`)
      expect(Buffer.from(await got.arrayBuffer())).toEqual(bytes)
    }
  })

  it('agree on where a tag went that both move, and what it names is there', async () => {
    const images = each(12).map(number => sampleIndex([], { annotations: { number: `${number}` } }))
    await Promise.all(
      images.map(async ({ bytes, mediaType }, number) => {
        const url = `${urlOf(number)}/v2/moved/manifests/latest`
        const put = await fetch(url, {
          method: 'PUT',
          headers: { 'Content-Type': mediaType },
          body: Buffer.from(bytes),
        })
        expect(put.status).toBe(201)
      }),
    )
    const answers = await Promise.all([0, 1].map(number => ask(number, 'GET', 'moved/manifests/latest')))
    const [first, second] = await Promise.all(answers.map(answer => answer.text()))
    expect(first).toBe(second)
    expect(images.map(({ digest }) => digest)).toContain(digestOf(first ?? ''))
  })

  it('never keep a tag without its manifest when one deletes what the other pushes', async () => {
    const image = sampleImage('fought over')
    const { bytes, digest } = image.manifest
    await putBlobs(0, 'fought', image)
    for (const _ of each(25)) {
      await ask(0, 'PUT', 'fought/manifests/first', bytes)
      const [put, deleted] = await Promise.all([
        ask(0, 'PUT', 'fought/manifests/second', bytes),
        ask(1, 'DELETE', `fought/manifests/${digest}`),
      ])
      expect([put.status, deleted.status]).toEqual([201, 202])
      const { tags } = (await (await ask(0, 'GET', 'fought/tags/list')).json()) as { tags: string[] }
      for (const tag of tags) expect((await ask(1, 'GET', `fought/manifests/${tag}`)).status).toBe(200)
    }
  })

  it('go on with one upload between them', async () => {
    const { bytes, descriptor } = sampleBlob('begun here, ended there')
    const started = await ask(0, 'POST', 'upload/blobs/uploads/')
    const path = String(started.headers.get('location')).replace('/v2/', '')
    for (const number of each(bytes.length)) {
      const patch = await ask(number, 'PATCH', path, bytes.subarray(number, number + 1))
      expect(patch.headers.get('range')).toBe(`0-${number}`)
    }
    expect((await ask(1, 'PUT', `${path}?digest=${descriptor.digest}`)).status).toBe(201)
    const got = await ask(0, 'GET', `upload/blobs/${descriptor.digest}`)
    expect(await got.text()).toBe('begun here, ended there')
  })
})

import { link, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openLayout } from '../../../src/layout/layout.ts'
import { hexOf } from '../../../src/oci/digest.ts'
import { type EmbeddedRegistry, startEmbeddedRegistry } from '../../support/embedded-registry.ts'
import { chunksOf, sampleBlob } from '../../support/sample-image.ts'

vi.mock('node:fs/promises', async original => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, link: vi.fn(real.link), readdir: vi.fn(real.readdir) }
})

let registry: EmbeddedRegistry
beforeEach(async () => {
  registry = await startEmbeddedRegistry()
})
afterEach(async () => {
  vi.mocked(link).mockReset()
  await registry[Symbol.asyncDispose]()
})

const blob = sampleBlob('what two repositories hold')
const { digest } = blob.descriptor

const fileOf = (repository: string) => stat(join(registry.dir, repository, 'blobs/sha256', hexOf(digest)))
const sharedFile = () => stat(join(registry.dir, '_blobs/sha256', hexOf(digest)))
const remove = (repository: string) => registry.ask('DELETE', `/v2/${repository}/blobs/${digest}`)
const mount = (to: string) => registry.ask('POST', `/v2/${to}/blobs/uploads/?mount=${digest}`)

async function expectBlob(repository: string): Promise<void> {
  expect((await registry.ask('GET', `/v2/${repository}/blobs/${digest}`)).body).toEqual(blob.bytes)
}

/** By a program that knows nothing of the server. */
async function writeByHand(repository: string): Promise<void> {
  const layout = await openLayout(join(registry.dir, repository), { create: true })
  await layout.putBlob(blob.descriptor, async () => chunksOf(blob.bytes))
}

describe('a blob that is pushed to several repositories', () => {
  it('is on disk once, and nothing is left of the uploads', async () => {
    for (const repository of ['one', 'two', 'deep/er/three', 'one']) await registry.putBlob(repository, blob)
    const inodes = [
      await fileOf('one'),
      await fileOf('two'),
      await fileOf('deep/er/three'),
      await sharedFile(),
    ]
    expect(new Set(inodes.map(({ ino }) => ino)).size).toBe(1)
    expect(inodes[0]?.nlink).toBe(4)
    expect(await readdir(join(registry.dir, '_uploads'))).toEqual([])
  })

  it('is on disk once when it is pushed to all of them at the same time', async () => {
    const names = Array.from({ length: 12 }, (_, number) => `repository/number${number}`)
    await Promise.all(names.map(name => registry.putBlob(name, blob)))
    expect((await sharedFile()).nlink).toBe(13)
    for (const name of names) await expectBlob(name)
  })

  it('is there for the others when one deletes it', async () => {
    for (const repository of ['one', 'two']) await registry.putBlob(repository, blob)
    expect((await remove('one')).status).toBe(202)
    await expectBlob('two')
    expect((await registry.ask('GET', `/v2/one/blobs/${digest}`)).status).toBe(404)
  })

  it('frees its space when the last one deletes it, and comes as it is then', async () => {
    for (const repository of ['one', 'two']) await registry.putBlob(repository, blob)
    await remove('one')
    await remove('two')
    await expect(sharedFile()).rejects.toThrow('ENOENT')
    await registry.putBlob('one', blob)
    expect((await fileOf('one')).nlink).toBe(2)
  })

  it('takes the place of what was there in another size', async () => {
    await registry.putBlob('one', blob)
    const { truncate } = await import('node:fs/promises')
    await truncate(join(registry.dir, '_blobs/sha256', hexOf(digest)), 3)
    await registry.putBlob('two', blob)
    await expectBlob('two')
    expect((await sharedFile()).size).toBe(blob.bytes.length)
  })

  it('is not shared while it was only written by hand, and is verified before', async () => {
    await writeByHand('by/hand')
    await expect(sharedFile()).rejects.toThrow('ENOENT')
    await registry.putBlob('by/hand', blob)
    expect((await fileOf('by/hand')).ino).toBe((await sharedFile()).ino)
  })

  it.each(['EPERM', 'EMLINK'])('is a file of each where the file system has no links: %s', async code => {
    vi.mocked(link).mockRejectedValue(Object.assign(new Error(code), { code, syscall: 'link' }))
    for (const repository of ['one', 'two', 'one']) await registry.putBlob(repository, blob)
    for (const repository of ['one', 'two']) {
      await expectBlob(repository)
      expect((await fileOf(repository)).nlink).toBe(1)
    }
    await expect(sharedFile()).rejects.toThrow('ENOENT')
  })

  it('leaves each repository a layout of its own', async () => {
    await registry.putBlob('one', blob)
    const layout = await openLayout(join(registry.dir, 'one'))
    expect(await layout.blobs.list()).toEqual([digest])
    const { json } = await registry.ask('GET', '/v2/_catalog')
    expect(json()).toEqual({ repositories: ['one'] })
  })
})

describe('a mount that does not say from where', () => {
  it('takes what the server has verified', async () => {
    await registry.putBlob('one', blob)
    expect((await mount('two')).status).toBe(201)
    expect((await fileOf('two')).ino).toBe((await sharedFile()).ino)
  })

  it('does not go through all repositories for what is nowhere', async () => {
    await registry.putBlob('one', sampleBlob('another'))
    vi.mocked(readdir).mockClear()
    expect((await mount('two')).status).toBe(202)
    expect(readdir).not.toHaveBeenCalled()
  })

  it('takes nothing that no repository has any more', async () => {
    await registry.putBlob('one', blob)
    await link(join(registry.dir, '_blobs/sha256', hexOf(digest)), join(registry.dir, 'kept by hand'))
    await remove('one')
    expect((await mount('two')).status).toBe(202)
  })
})

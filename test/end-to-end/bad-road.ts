import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Digest, hexOf } from '../../src/oci/digest.ts'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts'
import { type FaultyProxy, type ProxiedRequest, startFaultyProxy } from '../support/faulty-proxy.ts'
import { type GeneratedLayout, generateLayout } from '../support/generated-layout.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { dray, drayJson } from './dray.ts'

export const megabyte = 1_000_000

/** An image with one layer of 20 MB, as a layout and in a docker-registry. */
export interface BigImage extends AsyncDisposable {
  readonly layout: GeneratedLayout
  readonly layer: Digest
  /** The path at which the registry has the layer. */
  readonly blobPath: RegExp
  readonly registry: DockerRegistry
  /** The same registry by another name, so that blobs are not mounted. */
  readonly otherName: string
}

export async function startBigImage(): Promise<BigImage> {
  await using starting = new AsyncDisposableStack()
  const registry = starting.use(await startDockerRegistry())
  const layout = starting.use(await generateLayout(20 * megabyte))
  await dray(['copy', `oci:${layout.path}:big`, `${registry.host}/source:big`])
  const layer = layout.layers[0]?.digest ?? layout.manifest.digest
  const started = starting.move()
  return {
    layout,
    layer,
    blobPath: new RegExp(`/blobs/${layer}$`),
    registry,
    otherName: registry.host.replace('127.0.0.1', 'localhost'),
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  }
}

/** A way to that registry which can be spoiled, and a folder for what comes over it. */
export interface BadRoad extends AsyncDisposable {
  readonly proxy: FaultyProxy
  /** The image, over this way. */
  readonly image: string
  /** A layout that does not exist yet. */
  readonly into: string
  requestsOf(method: string, path: RegExp): readonly ProxiedRequest[]
  /** Reads all of the image in `into` again, and so verifies it. */
  expectArrived(): Promise<void>
  /** Looks for files in `into` that are neither whole blobs nor what a layout has beside them. */
  parts(): Promise<string[]>
}

export async function openBadRoad({ registry, layout }: BigImage): Promise<BadRoad> {
  const proxy = await startFaultyProxy(registry.url)
  const folder = await makeTempDir()
  const into = join(folder.path, 'layout')
  const { manifest, layers } = layout
  const config = manifest.kind === 'image' ? [manifest.content.config] : []
  const blobs = [...layers, ...config]
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0)
  const names = [...blobs, manifest].map(({ digest }) => join('blobs/sha256', hexOf(digest)))
  const whole = new Set([...names, 'blobs', 'blobs/sha256', 'index.json', 'oci-layout'])
  return {
    proxy,
    image: `${proxy.host}/source:big`,
    into,
    requestsOf: (method, path) =>
      proxy.requests.filter(request => request.method === method && path.test(request.path)),
    async expectArrived() {
      const copied = await drayJson(['copy', '--quiet', `oci:${into}:big`, `oci:${folder.path}/verified:big`])
      expect(copied).toMatchObject({ digest: manifest.digest, bytes })
    },
    parts: async () => (await listing(into)).filter(name => !whole.has(name)),
    async [Symbol.asyncDispose]() {
      await proxy.stop()
      await folder.remove()
    },
  }
}

/** How many bytes the files in a folder have together. */
export async function bytesIn(folder: string): Promise<number> {
  const names = (await listing(folder)).map(name => join(folder, name))
  const files = await Promise.all(names.map(name => stat(name)))
  return files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0)
}

/** All that is in a folder; nothing where it is not there. */
export async function listing(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true }).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

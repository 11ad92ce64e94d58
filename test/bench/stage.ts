import { rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { makeAuthority } from '../support/certificates.ts'
import { fastParent, makeTempDir } from '../support/temp-dir.ts'
import { type Act, openAct, repository } from './act.ts'
import type { Case, ImageShape } from './case.ts'
import { type Endpoint, openEndpoint } from './endpoint.ts'
import { generateImage } from './generated-image.ts'
import { perform } from './perform.ts'
import { dray } from './programs.ts'

/** What all runs of a case have in common: the image and who holds it from the start. */
export interface Stage extends AsyncDisposable {
  /** Sets up the scene of one run. */
  open(): Promise<Act>
}

/** True when the layout, the source and a destination have room where they are kept. */
export async function hasRoom({ platforms, layers, layerBytes }: ImageShape): Promise<boolean> {
  const { bavail, bsize } = await statfs(await fastParent())
  return bavail * bsize > 3.2 * platforms * layers * layerBytes
}

/** Generates the image and fills, with our own program, what holds it. */
export async function setStage(of: Case, signal: AbortSignal): Promise<Stage> {
  await using setting = new AsyncDisposableStack()
  const folder = setting.use(await makeTempDir(await fastParent()))
  const authority = of.tls ? await makeAuthority(folder.path) : undefined
  const tls = await authority?.issue('registry', { usage: 'server' })
  const endpoint = () => openEndpoint({ tls, delayMs: of.delayMs })
  const layout = join(folder.path, 'image')
  const digest = of.image === undefined ? '' : await generateImage(layout, of.image, signal)

  const openFull = async () => {
    const full = setting.use(await endpoint())
    await fill(full, { of, layout, authority: authority?.certificate, signal })
    return full
  }
  const isSource = of.image !== undefined && of.from !== 'layout'
  const source = isSource ? await openFull() : undefined
  const full = of.to === 'full registry' ? await openFull() : undefined
  if (isSource) await rm(layout, { recursive: true })

  const props = {
    ...{ of, folder: folder.path, authority: authority?.certificate },
    ...{ layout, digest, source, full, endpoint },
  }
  const set = setting.move()
  let acts = 0
  return { open: () => openAct(props, acts++), [Symbol.asyncDispose]: () => set.disposeAsync() }
}

interface Filling {
  readonly of: Case
  readonly layout: string
  readonly authority: string | undefined
  readonly signal: AbortSignal
}

/** Puts the image into a registry, past its proxy. */
async function fill({ registry }: Endpoint, { of, layout, authority, signal }: Filling): Promise<void> {
  const image = `${registry.host}/${repository}:big`
  const flags = ['--quiet', ...(authority === undefined ? [] : ['--ca-file', authority])]
  await perform(dray('copy', ...flags, `oci:${layout}:big`, image), signal)
  const tags = Array.from({ length: of.tags ?? 0 }, (_, minor) => `1.${minor}.0`)
  if (tags.length > 0) await perform(dray('tag', ...flags, image, ...tags), signal)
}

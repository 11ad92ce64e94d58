import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DockerRegistry } from '../support/docker-registry.ts'
import type { Case, Scene } from './case.ts'
import { type Endpoint, tagLink } from './endpoint.ts'

/** One run's scene. */
export interface Act extends AsyncDisposable {
  readonly scene: Scene
  /** Those that the program may speak to. */
  readonly registries: readonly DockerRegistry[]
  /** True when the image is at its destination, under its own digest. */
  hasArrived(): Promise<boolean>
}

/** What a stage gives to each of its acts. */
export interface Props {
  readonly of: Case
  /** A folder in which an act may make one of its own. */
  readonly folder: string
  readonly authority: string | undefined
  /** Where the generated image was written. */
  readonly layout: string
  /** The digest of the generated image. */
  readonly digest: string
  readonly source: Endpoint | undefined
  /** A destination that has the image already. */
  readonly full: Endpoint | undefined
  /** Starts one more registry. */
  readonly endpoint: () => Promise<Endpoint>
}

/** The repository of the image at the source, and of its copies elsewhere. */
export const repository = 'bench/image'

/** Sets up what a run needs for itself; `number` is another for each run. */
export async function openAct(props: Props, number: number): Promise<Act> {
  const { of, source, full, digest } = props
  await using opening = new AsyncDisposableStack()
  const wantsNew = of.image !== undefined && (of.to === undefined || of.to === 'new registry')
  const destination = full ?? (wantsNew ? opening.use(await props.endpoint()) : source)
  const name = of.to === 'same registry' ? `bench/copy-${number}` : repository
  const tag = of.to === 'same repository' ? `tag-${number}` : 'big'
  const written = of.to === 'layout' ? join(props.folder, `pulled-${number}`) : undefined
  if (written !== undefined) opening.defer(() => rm(written, { recursive: true, force: true }))
  const proof = written
    ? join(written, 'index.json')
    : destination && tagLink(destination.registry, name, tag)
  const opened = opening.move()
  return {
    scene: {
      source: `${source?.host}/${repository}:big`,
      destination: `${destination?.host}/${name}:${tag}`,
      layout: written ?? props.layout,
      authority: props.authority,
    },
    registries: [...new Set([source, destination])].flatMap(end => end?.registry ?? []),
    hasArrived: async () => proof === undefined || (await readFile(proof, 'utf8')).includes(digest),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

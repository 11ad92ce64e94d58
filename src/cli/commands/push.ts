import { join } from 'node:path'
import type { Command } from 'commander'
import type { StoredImage } from '../../bundle/contents.ts'
import type { CopiedImage } from '../../bundle/copy-with-referrers.ts'
import { attachedTo, formatImageName, parseImageName } from '../../bundle/image-name.ts'
import { MountingDestination, type PlacesOfBlobs } from '../../bundle/mounting-destination.ts'
import { pushTargets } from '../../bundle/push-targets.ts'
import { DrayError, quote } from '../../errors.ts'
import type { Digest } from '../../oci/digest.ts'
import { parseReference, type Reference } from '../../oci/reference.ts'
import { copyImage } from '../../transfer/copy.ts'
import type { CopyOptions } from '../../transfer/copy-options.ts'
import type { CopyResult } from '../../transfer/copy-result.ts'
import * as batches from '../batch.ts'
import type { CliContext } from '../context.ts'
import { parseLocation } from '../location.ts'
import * as options from '../options.ts'
import type { Progress } from '../progress-display.ts'
import { Session, withSession } from '../session.ts'
import { type OpenContents, openContents } from '../stored-contents.ts'
import { type OpenDestination, openLayoutTarget } from '../stored-places.ts'
import { parseTarget, type Target } from '../target.ts'
import { addTransferOptions, type TransferFlags, transferSettings } from '../transfer-options.ts'
import { withProgress } from '../with-progress.ts'

interface PushFlags extends TransferFlags {
  readonly all?: boolean
  readonly image?: string
  readonly scoped?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<path>', 'a folder or archive of images of any kind, or - for an archive on stdin')
    .argument(
      '<destination>',
      'a reference; for many images a registry or a part of it, or oci:DIR for dray serve',
    )
    .option('--all', 'every image, below the destination, by its name; so without it where there are several')
    .option('--image <name>', 'which of several: its name, its tag or its digest')
    .option('--scoped', "keep the names' registries: DESTINATION/docker.io/library/alpine")
    .action((path: string, to: string, flags: PushFlags) => run({ path, to }, flags, context))
  addTransferOptions(command)
  options.addFormatOption(command, '{{range .Images}}{{.Digest}}{{end}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray push app.tar ghcr.io/org/app:1.2', 'an archive of docker save, or of any other kind'],
    ['docker save app | dray push - ghcr.io/org/app:1.2', 'as it comes'],
    [
      'dray push bundle.tar registry.site/mirror',
      'all images of a bundle: registry.site/mirror/library/alpine:3.20',
    ],
    ['dray push bundle.tar oci:./registry && dray serve ./registry', 'laid out as a registry of its own'],
    ['dray push --image alpine:3.20 bundle.tar registry.site/alpine:3.20', 'one of them, under another name'],
  ])
}

interface Ends {
  readonly path: string
  readonly to: string
}

async function run({ path, to }: Ends, flags: PushFlags, context: CliContext): Promise<void> {
  const destination = parseDestination(to)
  if (flags.all && flags.image !== undefined)
    throw new DrayError('USAGE', '--all and --image exclude each other')
  await withProgress(flags, context, async progress => {
    const registries = destination.kind === 'registry' ? [destination.target.registry] : []
    const session = new Session(context, flags, { registries, onEvent: progress.onEvent })
    await withSession(session, async () => {
      const contents = await openContents(path, session.storage)
      const job = {
        contents,
        destination,
        flags,
        session,
        progress,
        signal: context.signal,
        places: new Map(),
      }
      const batch = await batches.runBatch(chooseImages(to, job), context.signal)
      progress.stop()
      await batches.report(batch, { session, flags, place: { path, kind: contents.kind } })
    })
  })
}

/** A registry or a part of it, or a folder of layouts, one for each repository, as `dray serve` has it. */
type Destination =
  | { readonly kind: 'registry'; readonly target: Target }
  | { readonly kind: 'oci'; readonly dir: string }

/** @throws DrayError `USAGE`, `INVALID_REFERENCE` */
function parseDestination(text: string): Destination {
  const [, scheme] = /^(oci|oci-archive|docker-archive|docker-daemon|dir):(?!\d+\/)/.exec(text) ?? []
  if (scheme === undefined) return { kind: 'registry', target: parseTarget(text) }
  const location = parseLocation(text)
  if (location.kind === 'oci' && (location.name ?? location.digest) === undefined)
    return { kind: 'oci', dir: location.path }
  throw new DrayError(
    'USAGE',
    `${text}: images are pushed to registries, and to folders of layouts (oci:DIR)`,
    {
      hint: 'dray copy takes one image from any location to any other',
    },
  )
}

interface Job {
  readonly contents: OpenContents
  readonly destination: Destination
  readonly flags: PushFlags
  readonly session: Session
  readonly progress: Progress
  readonly signal: AbortSignal
  readonly places: PlacesOfBlobs
}

/** One image under the name that is given, or many below it by their own names. */
function chooseImages(to: string, job: Job): readonly batches.BatchItem[] {
  const { contents, destination, flags } = job
  const { path } = contents
  const images = flags.image === undefined ? contents.images : imagesCalled(flags.image, contents)
  const own = images.filter(({ name }) => attachedTo(name.tag) === undefined)
  const [sole, ...others] = new Map(own.map(image => [image.descriptor.digest, image])).values()
  if (sole === undefined) throw new DrayError('NOT_FOUND', `${path}: there is no image in it`)
  if (others.length === 0 && !flags.all && destination.kind === 'registry')
    return [asNamed(sole, parseReference(to.replace(/^docker:\/\//, '')), job)]
  const { tag, digest, repository: prefix } = destination.kind === 'registry' ? destination.target : {}
  if (tag !== undefined || digest !== undefined) {
    throw new DrayError('USAGE', `${to} is the name of one image, and ${path} holds ${others.length + 1}`, {
      hint: `choose one with --image (${offer(own)}), or name a destination without a tag for all`,
    })
  }
  return pushTargets(images, prefix, flags).map(({ image, name, repository, fault }) => ({
    name,
    move: async () => {
      if (repository === undefined) throw fault
      return push(image, await openRepository({ repository, tag: image.name.tag }, job), job)
    },
  }))
}

/** @throws DrayError `NOT_FOUND`; `USAGE` where a tag alone is said of several */
function imagesCalled(text: string, { images, path }: OpenContents): readonly StoredImage[] {
  const called = images.filter(image => isCalled(image, text))
  if (called.length === 0) {
    const hint = images.length === 0 ? undefined : `there is ${offer(images)}`
    throw new DrayError('NOT_FOUND', `${path}: there is no image ${quote(text)}`, { hint })
  }
  if (new Set(called.map(({ descriptor }) => descriptor.digest)).size === 1) return called
  throw new DrayError('USAGE', `${path}: several images have the tag ${quote(text)}`, {
    hint: `name one of them: ${offer(called)}`,
  })
}

function offer(images: readonly StoredImage[]): string {
  return images
    .slice(0, 10)
    .map(image => quote(nameOf(image)))
    .join(', ')
}

function asNamed(image: StoredImage, reference: Reference, job: Job): batches.BatchItem {
  const attached = job.contents.images.filter(({ name }) =>
    image.manifests.some(({ digest }) => digest === attachedTo(name.tag)),
  )
  const expectedResult = reference.digest
  return {
    name: nameOf(image),
    move: async () =>
      push(image, { ...(await openRepository(reference, job)), attached, expectedResult }, job),
  }
}

async function openRepository(
  { repository, tag }: Pick<Reference, 'repository' | 'tag'>,
  { destination, flags, session, places }: Job,
): Promise<OpenDestination> {
  const tags = tag === undefined ? [] : [tag]
  if (destination.kind === 'oci')
    return { store: await openLayoutTarget(join(destination.dir, repository)), tags }
  const { registry } = destination.target
  const target = { registry, repository, tag }
  const { store, jobs } = await session.openRepository(target, options.endFlags(flags), 'pull,push')
  return { store: new MountingDestination(store, places), tags, jobs }
}

interface PushPlace extends OpenDestination {
  /** What cosign keeps in tags for the image. */
  readonly attached?: readonly StoredImage[]
  readonly expectedResult?: Digest | undefined
}

async function push(image: StoredImage, place: PushPlace, job: Job): Promise<CopiedImage> {
  const { contents, flags, progress, signal } = job
  const { store: destination, tags, attached = [], expectedResult } = place
  const copy = (from: Digest, own: Pick<CopyOptions, 'tags' | 'expectedResult'>) =>
    copyImage({
      ...transferSettings(flags),
      source: contents.store,
      from,
      destination,
      jobs: flags.jobs ?? place.jobs,
      onEvent: progress.onEvent,
      signal,
      ...own,
    })
  const copied = await copy(image.descriptor.digest, { tags, expectedResult })
  const referrers: CopyResult[] = []
  for (const { digest } of image.referrers) referrers.push(await copy(digest, { tags: [] }))
  for (const { descriptor, name } of attached)
    referrers.push(await copy(descriptor.digest, { tags: name.tag === undefined ? [] : [name.tag] }))
  return { image: copied, referrers }
}

function isCalled({ name, descriptor }: StoredImage, text: string): boolean {
  const wanted = parseImageName(text)
  if (descriptor.digest === text) return true
  if (wanted.repository === undefined) return wanted.tag !== undefined && name.tag === wanted.tag
  return formatImageName(name) === formatImageName(wanted)
}

function nameOf({ name, descriptor }: StoredImage): string {
  return formatImageName(name) ?? descriptor.digest
}

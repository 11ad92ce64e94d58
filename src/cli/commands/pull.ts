import { type Command, Option } from 'commander'
import { type CopiedImage, copyWithReferrers } from '../../bundle/copy-with-referrers.ts'
import { rememberManifests } from '../../bundle/remembered-manifests.ts'
import { DrayError } from '../../errors.ts'
import { formatReference, type Reference } from '../../oci/reference.ts'
import { copyImage } from '../../transfer/copy.ts'
import * as batches from '../batch.ts'
import type { CliContext } from '../context.ts'
import { enginePlatform } from '../engine-platform.ts'
import { parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type OutputFormat, parseFormat } from '../output.ts'
import type { Progress } from '../progress-display.ts'
import { openPullTarget, type PullForm, type PullTarget, pullForms } from '../pull-target.ts'
import { Session, withSession } from '../session.ts'
import { addTransferOptions, type TransferFlags, transferSettings } from '../transfer-options.ts'
import { withProgress } from '../with-progress.ts'

interface PullFlags extends TransferFlags {
  readonly as?: PullForm
  readonly referrers?: boolean
  readonly cachePath?: string
}

export function define(command: Command, context: CliContext): void {
  command
    .usage('[options] <image...> <path>')
    .argument(
      '<image...>',
      'references, and last the path: a folder, an archive such as app.tar.gz, or - for stdout',
    )
    .addOption(
      new Option(
        '--as <form>',
        'oci, docker (for docker load), legacy (docker before 25) or dir (as skopeo)',
      ).choices(pullForms),
    )
    .option('--referrers', 'with signatures, SBOMs and attestations of each image')
    .option('-c, --cache-path <dir>', 'keep blobs here, for other pulls')
    .action((words: readonly string[], flags: GivenFlags) => run(words, understood(flags), context))
  addTransferOptions(command)
  options.addPlatformOption(command, "only this platform; repeatable (all, and for docker this machine's)")
  command.addOption(
    new Option(
      '--format <format>',
      "text, json, jsonl, or a template such as '{{range .Images}}{{.Digest}}{{end}}'",
    )
      .argParser(parseFormOrFormat)
      .default({ kind: 'text' } satisfies OutputFormat, 'text'),
  )
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray pull alpine:3.20 ./alpine', 'into an OCI layout'],
    ['dray pull alpine:3.20 - | ssh host "cat > alpine.tar"', 'an archive to stdout'],
    ['dray pull --as docker app:1 app.tar && docker load -i app.tar', 'for an engine'],
    [
      'dray pull --referrers app:1 db:2 bundle.tar.zst',
      'many images with their signatures, for a site without network',
    ],
  ])
}

/** crane's users say `--format oci` for what is `--as oci` here. */
type GivenFormat = OutputFormat | { readonly kind: 'form'; readonly form: PullForm }
type GivenFlags = Omit<PullFlags, 'format'> & { readonly format: GivenFormat }

function parseFormOrFormat(text: string): GivenFormat {
  const form = pullForms.find(each => each === text)
  return form === undefined ? parseFormat(text) : { kind: 'form', form }
}

function understood({ format, ...flags }: GivenFlags): PullFlags {
  return format.kind === 'form' ? { as: format.form, ...flags } : { ...flags, format }
}

async function run(words: readonly string[], flags: PullFlags, context: CliContext): Promise<void> {
  const { as: form = 'oci' } = flags
  check(words, form, flags)
  const path = words.at(-1) ?? ''
  const references = distinctReferences(words.slice(0, -1))
  await withProgress(flags, context, async progress => {
    const registries = references.map(({ registry }) => registry)
    const session = new Session(context, flags, { registries, onEvent: progress.onEvent })
    await withSession(session, async () => {
      const target = await openPullTarget({ path, form, cachePath: flags.cachePath }, session)
      const job = { target, form, flags, session, progress, signal: context.signal }
      const items = references.map(reference => ({
        name: formatReference(reference),
        move: () => pull(reference, job),
      }))
      const { done, failed } = await batches.runBatch(items, context.signal)
      if (!flags.dryRun && done.length > 0) await session.finish()
      progress.stop()
      const batch = { done: done.map(each => asPacked(each, target)), failed }
      await batches.report(batch, { session, flags, place: { path, as: form } })
    })
  })
}

/** @throws DrayError `USAGE`, `INVALID_REFERENCE` */
function distinctReferences(texts: readonly string[]): readonly Reference[] {
  const references = new Map<string, Reference>()
  for (const text of texts) {
    const location = parseLocation(text)
    if (location.kind !== 'registry') {
      const hint = 'dray copy takes one image from any location to any other'
      throw new DrayError('USAGE', `${text}: images are pulled from registries only`, { hint })
    }
    references.set(location.text, location.reference)
  }
  return [...references.values()]
}

/** @throws DrayError `USAGE` */
function check(words: readonly string[], form: PullForm, { platform = [], referrers }: PullFlags): void {
  const path = words.at(-1) ?? ''
  const hint = 'for example dray pull alpine:3.20 alpine.tar'
  if (words.length < 2)
    throw new DrayError('USAGE', 'name the images, and last the path that they go to', { hint })
  if (/^[^./].*[:@]/.test(path)) {
    const text = `"${path}" looks like an image, where the path should be that images go to`
    throw new DrayError('USAGE', text, { hint: `${hint}; a path with a colon begins with ./` })
  }
  if (form === 'dir' && words.length > 2)
    throw new DrayError('USAGE', '--as dir: such a folder holds one image')
  if (form !== 'oci' && referrers) throw new DrayError('USAGE', `--as ${form}: --referrers need --as oci`)
  if (isForEngine(form) && platform.length > 1)
    throw new DrayError('USAGE', `--as ${form}: an image is for one platform there; give --platform once`)
}

interface Job {
  readonly target: PullTarget
  readonly form: PullForm
  readonly flags: PullFlags
  readonly session: Session
  readonly progress: Progress
  readonly signal: AbortSignal
}

async function pull(reference: Reference, job: Job): Promise<CopiedImage> {
  const { target, form, flags, session, progress, signal } = job
  const source = await session.openRepository(reference, options.endFlags(flags))
  const { store, tags } = target.forImage(reference)
  const copying = {
    ...transferSettings(flags),
    source: source.store,
    from: source.reference,
    destination: store,
    tags,
    jobs: flags.jobs ?? source.jobs,
    onEvent: progress.onEvent,
    signal,
  }
  if (flags.referrers) return copyWithReferrers({ ...copying, untagged: target.untagged })
  if (!isForEngine(form)) return { image: await copyImage(copying), referrers: [] }
  const remembered = { ...source, store: rememberManifests(source.store) }
  const platform = options.onePlatform(flags.platform) ?? (await enginePlatform(remembered))
  const choice = platform === undefined ? {} : { platforms: [platform], unpack: true }
  return { image: await copyImage({ ...copying, source: remembered.store, ...choice }), referrers: [] }
}

function isForEngine(form: PullForm): boolean {
  return form === 'docker' || form === 'legacy'
}

/** The form may give an image another manifest, and so another digest, than it was put with. */
function asPacked(moved: batches.BatchedImage, target: PullTarget): batches.BatchedImage {
  const { image } = moved
  const packed = target.packed().find(({ sourceDigest }) => sourceDigest === image.digest)
  if (packed === undefined) return moved
  const { digest } = packed
  return { ...moved, image: { ...image, digest, changed: digest !== image.sourceDigest } }
}

import { type Command, Option } from 'commander'
import { DrayError } from '../../errors.ts'
import type { Platform } from '../../oci/platform.ts'
import { tagFault } from '../../oci/reference.ts'
import type { CopyResult } from '../../transfer/copy-result.ts'
import type { OnTransferEvent } from '../../transfer/events.ts'
import type { CliContext } from '../context.ts'
import { type Location, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { chooseColor, chooseProgress, type ProgressFlag, progressFlags, startProgress } from '../progress.ts'
import type { Progress } from '../progress-display.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'
import { formatBytes, formatDuration } from '../units.ts'

interface CopyFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly unpack?: boolean
  readonly tag?: readonly string[]
  readonly jobs?: number
  /** Bytes per second. */
  readonly limitRate?: number
  readonly retries?: number
  readonly includeForeign?: boolean
  readonly verify: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly progress: ProgressFlag
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<source>', 'a reference, or oci:DIR[:TAG]')
    .argument('<destination>', "a reference, or oci:DIR[:TAG]; without a tag a layout keeps the source's")
    .option('-t, --tag <tag>', 'write this tag too; repeatable', collectTag)
    .option('--unpack', 'with one --platform: copy its image without the index, under its own digest')
    .option('-j, --jobs <n>', 'how many transfers at a time (8 large, 24 small)', options.parsePositive)
    .option(
      '--limit-rate <size>',
      'bytes of blobs per second, all transfers together, such as 20M',
      options.parsePositiveSize,
    )
    .option('--include-foreign', 'copy foreign (non-distributable) layers too')
    .option('--no-verify', 'leave the checking of blobs to the registry that they go to')
    .option('-f, --force', 'write every manifest and tag again; blobs that are there are left alone')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addOption(
      new Option('--progress <form>', 'how progress is shown on stderr')
        .choices(progressFlags)
        .default('auto'),
    )
    .action((from: string, to: string, flags: CopyFlags) => run({ from, to }, flags, context))
  options.addPlatformOption(command, 'only this platform, in a smaller index with a new digest; repeatable')
  options.addFormatOption(command, '{{.Digest}}')
  options.addCommonOptions(command)
  options.addTwoEndOptions(command)
  options.addExamples(command, [
    ['dray copy alpine:3.20 ghcr.io/org/alpine:3.20', 'all platforms, byte for byte'],
    ['dray copy alpine:3.20 oci:./alpine', 'into an OCI layout on disk'],
    ['dray copy -t 1 -t latest app:1.2 registry.example/app:1.2', 'with more tags'],
    [
      'dray copy --platform linux/amd64 --platform linux/arm64 alpine:3.20 localhost:5000/alpine',
      'two platforms',
    ],
    [
      'dray copy --to-ca-file ca.pem --to-username bot --to-password-stdin a:1 b.example/a:1',
      'one end needs more',
    ],
  ])
}

interface Ends {
  readonly from: string
  readonly to: string
}

async function run(ends: Ends, flags: CopyFlags, context: CliContext): Promise<void> {
  const from = parseLocation(ends.from)
  const to = parseLocation(ends.to)
  if (flags.unpack && flags.platform?.length !== 1) {
    throw new DrayError('USAGE', '--unpack takes one image out of an index: give one --platform')
  }
  const { env, stderr } = context
  const surroundings = { env, isTTY: stderr.isTTY === true }
  const kind = chooseProgress({ flag: flags.progress, quiet: flags.quiet ?? false, ...surroundings })
  const progress = await startProgress(kind, { stream: stderr, color: chooseColor(surroundings) })
  try {
    const result = await copy({ from, to }, flags, { context, progress })
    progress.stop()
    await report(result, flags, context)
  } finally {
    progress.stop()
  }
}

async function copy(
  { from, to }: { from: Location; to: Location },
  flags: CopyFlags,
  { context, progress }: { context: CliContext; progress: Progress },
): Promise<CopyResult> {
  const { copyImage } = await import('../../transfer/copy.ts')
  const onEvent: OnTransferEvent = progress.onEvent
  const session = new Session(context, flags, { locations: [from, to], onEvent })
  return withSession(session, async () => {
    const source = await session.openSource(from, options.endFlags(flags, 'from'))
    const destination = await session.openDestination(to, options.endFlags(flags, 'to'))
    const {
      platform: platforms,
      unpack,
      jobs,
      limitRate,
      retries,
      includeForeign,
      verify,
      force,
      dryRun,
    } = flags
    return copyImage({
      source: source.store,
      from: source.reference,
      destination: destination.store,
      tags: [...new Set([...destinationTags(from, to), ...(flags.tag ?? [])])],
      expectedResult: digestOf(to),
      platforms,
      unpack,
      jobs: jobs ?? least(source.jobs, destination.jobs),
      bytesPerSecond: limitRate,
      retries,
      includeForeign,
      verify,
      force,
      dryRun,
      onEvent,
      signal: context.signal,
    })
  })
}

/** What both ends allow; undefined where neither says anything. */
function least(...bounds: readonly (number | undefined)[]): number | undefined {
  const given = bounds.filter(bound => bound !== undefined)
  return given.length === 0 ? undefined : Math.min(...given)
}

/** With a digest and no tag nothing is tagged; a layout without either keeps the tag of the source. */
function destinationTags(from: Location, to: Location): readonly string[] {
  const { tag } = to.kind === 'registry' ? to.reference : to
  if (tag !== undefined) return [tag]
  if (digestOf(to) !== undefined || to.kind === 'registry') return []
  const kept = from.kind === 'registry' ? from.reference.tag : from.tag
  return kept === undefined ? [] : [kept]
}

function digestOf(location: Location) {
  return location.kind === 'registry' ? location.reference.digest : location.digest
}

async function report(result: CopyResult, flags: CopyFlags, context: CliContext): Promise<void> {
  const session = new Session(context, flags)
  const { destination, digest, tags, changed, sourceDigest } = result
  if (changed) session.say(`the digest is a new one: ${digest} (the source has ${sourceDigest})`)
  session.say(summary(result))
  const written = tags.length === 0 ? [destination] : tags.map(tag => `${destination}:${tag}`)
  const names = result.dryRun ? [] : written
  await session.print(documentOf(result), () =>
    [...planLines(result), ...names.map(name => `${name}@${digest}\n`)].join(''),
  )
}

/** The same fields each time, so that a template that works once always does. */
function documentOf({ manifests, blobs, bytes, seconds, dryRun, plan, ...result }: CopyResult) {
  const platforms = result.platforms ?? null
  return { ...result, platforms, manifests, blobs, bytes, seconds, dryRun, plan: plan ?? null }
}

function planLines({ plan = [], destination }: CopyResult): string[] {
  const verbs = { copied: 'upload', mounted: 'mount', present: 'skip', foreign: 'skip foreign' } as const
  return plan.map(({ kind, how, digest, size, tags = [] }) => {
    const verb = kind === 'manifest' && how === 'copied' ? 'write' : verbs[how]
    const names = tags.length === 0 ? '' : ` as ${tags.map(tag => `${destination}:${tag}`).join(', ')}`
    return `would ${verb} ${kind} ${digest} ${formatBytes(size)}${names}\n`
  })
}

function summary({ blobs, manifests, bytes, seconds, dryRun }: CopyResult): string {
  const size = formatBytes(bytes)
  const parts = [
    ...counted(blobs.copied, dryRun ? `to copy (${size})` : `copied (${size})`),
    ...counted(blobs.mounted, dryRun ? 'to mount' : 'mounted'),
    ...counted(blobs.present, 'already there'),
    ...counted(blobs.foreign, 'foreign, left out'),
  ]
  const written = counted(manifests.copied, dryRun ? 'to write' : 'written')
  const sections = [
    ...(parts.length === 0 ? [] : [`blobs: ${parts.join(', ')}`]),
    ...(written.length === 0 ? [] : [`manifests: ${written.join('')}`]),
  ]
  if (sections.length === 0) sections.push('nothing to do, it is all there')
  return `${dryRun ? 'dry run: ' : ''}${sections.join('; ')}; ${formatDuration(seconds * 1000)}`
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}`]
}

function collectTag(tag: string, previous: readonly string[] = []): string[] {
  const fault = tagFault(tag)
  if (fault !== undefined) throw new DrayError('USAGE', `--tag: "${tag}" cannot be a tag: ${fault}`)
  return [...previous, tag]
}

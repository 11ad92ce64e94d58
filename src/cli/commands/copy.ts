import type { Command } from 'commander'
import { rememberManifests } from '../../bundle/remembered-manifests.ts'
import { DrayError } from '../../errors.ts'
import type { CopyResult } from '../../transfer/copy-result.ts'
import type { CliContext } from '../context.ts'
import { copyDocument, copyRemarks, copyText } from '../copy-view.ts'
import { enginePlatform } from '../engine-platform.ts'
import { digestIn, type Location, locationText, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import type { Progress } from '../progress-display.ts'
import { Session, withSession } from '../session.ts'
import {
  addTransferOptions,
  collectTag,
  leastJobs,
  type TransferFlags,
  transferSettings,
} from '../transfer-options.ts'
import { withProgress } from '../with-progress.ts'

interface CopyFlags extends TransferFlags {
  readonly unpack?: boolean
  readonly tag?: readonly string[]
  readonly verify: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<source>', locationText)
    .argument('<destination>', "the same; without a tag a layout or archive keeps the source's")
    .option('-t, --tag <tag>', 'write this tag too; repeatable', collectTag)
    .option('--unpack', 'with one --platform: copy its image without the index, under its own digest')
    .option('--no-verify', 'leave the checking of blobs to the registry that they go to')
    .action((from: string, to: string, flags: CopyFlags) => run({ from, to }, flags, context))
  addTransferOptions(command)
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
    ['docker save app:1 | dray copy docker-archive:- ghcr.io/org/app:1', 'from the local engine'],
    ['dray copy app:1 oci-archive:- | ssh host "cat > app.tar"', 'an archive to stdout'],
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
  if (to.kind === 'dir' && flags.tag !== undefined) {
    throw new DrayError('USAGE', `${to.text}: a folder of this kind has no tags, so --tag cannot be given`)
  }
  await withProgress(flags, context, async progress => {
    const session = new Session(context, flags, { locations: [from, to], onEvent: progress.onEvent })
    await withSession(session, async () => {
      const result = await copy({ from, to }, flags, { session, progress, signal: context.signal })
      progress.stop()
      for (const remark of copyRemarks(result)) session.say(remark)
      await session.print(copyDocument(result), () => copyText(result))
    })
  })
}

interface CopyContext {
  readonly session: Session
  readonly progress: Progress
  readonly signal: AbortSignal
}

async function copy(
  { from, to }: { readonly from: Location; readonly to: Location },
  flags: CopyFlags,
  { session, progress, signal }: CopyContext,
): Promise<CopyResult> {
  const { copyImage } = await import('../../transfer/copy.ts')
  const opened = await session.openSource(from, options.endFlags(flags, 'from'))
  const isForEngine = to.kind === 'docker-archive' || to.kind === 'docker-daemon'
  const source = isForEngine ? { ...opened, store: rememberManifests(opened.store) } : opened
  const platform = isForEngine
    ? (options.onePlatform(flags.platform) ?? (await enginePlatform(source)))
    : undefined
  const destination = await session.openDestination(to, options.endFlags(flags, 'to'), { from, platform })
  // An archive holds an index as it is; an engine is not sent what it would throw away.
  const isUnpacked = to.kind === 'docker-daemon' && platform !== undefined
  const result = await copyImage({
    ...transferSettings(flags),
    ...(isUnpacked ? { platforms: [platform], unpack: true } : { unpack: flags.unpack }),
    source: source.store,
    from: source.reference,
    destination: destination.store,
    tags: [...new Set([...destination.tags, ...(flags.tag ?? [])])],
    expectedResult: digestIn(to),
    verify: flags.verify,
    jobs: flags.jobs ?? leastJobs(source.jobs, destination.jobs),
    onEvent: progress.onEvent,
    signal,
  })
  if (!flags.dryRun) await session.finish()
  return result
}

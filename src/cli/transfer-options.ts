import { type Command, Option } from 'commander'
import { DrayError } from '../errors.ts'
import type { Platform } from '../oci/platform.ts'
import { tagFault } from '../oci/reference.ts'
import type { CopyOptions } from '../transfer/copy-options.ts'
import { parsePositive, parsePositiveSize } from './options.ts'
import { progressFlags } from './progress.ts'
import type { CommonFlags } from './session.ts'
import type { ProgressFlags } from './with-progress.ts'

/** The flags of all verbs that move images. */
export interface TransferFlags extends CommonFlags, ProgressFlags {
  readonly quiet?: boolean
  readonly platform?: readonly Platform[]
  readonly jobs?: number
  /** Bytes per second. */
  readonly limitRate?: number
  readonly retries?: number
  readonly includeForeign?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
}

/** Adds the flags that all verbs that move images take; platforms have a text of their own with each. */
export function addTransferOptions(command: Command): Command {
  return command
    .option('-j, --jobs <n>', 'how many transfers at a time (8 large, 24 small)', parsePositive)
    .option(
      '--limit-rate <size>',
      'bytes of blobs per second, all transfers together, such as 20M',
      parsePositiveSize,
    )
    .option('--include-foreign', 'copy foreign (non-distributable) layers too')
    .option('-f, --force', 'write every manifest and tag again; blobs that are there are left alone')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addOption(
      new Option('--progress <form>', 'how progress is shown on stderr')
        .choices(progressFlags)
        .default('auto'),
    )
}

/** What these flags say to a copy. */
export function transferSettings(
  flags: TransferFlags,
): Pick<
  CopyOptions,
  'platforms' | 'jobs' | 'bytesPerSecond' | 'retries' | 'includeForeign' | 'force' | 'dryRun'
> {
  const {
    platform: platforms,
    jobs,
    limitRate: bytesPerSecond,
    retries,
    includeForeign,
    force,
    dryRun,
  } = flags
  return { platforms, jobs, bytesPerSecond, retries, includeForeign, force, dryRun }
}

/** What both ends allow; undefined where neither says anything. */
export function leastJobs(...bounds: readonly (number | undefined)[]): number | undefined {
  const given = bounds.filter(bound => bound !== undefined)
  return given.length === 0 ? undefined : Math.min(...given)
}

/** Reads a value of `--tag`, which may be repeated. @throws DrayError `USAGE` */
export function collectTag(tag: string, previous: readonly string[] = []): string[] {
  const fault = tagFault(tag)
  if (fault !== undefined) throw new DrayError('USAGE', `--tag: "${tag}" cannot be a tag: ${fault}`)
  return [...previous, tag]
}

import type { Command } from 'commander'
import type { DiffEnd, ImageDiff } from '../../diff/diff-images.ts'
import { type Platform, parsePlatform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import type { DiffDocument } from '../diff-view.ts'
import { type Location, locationText, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { chooseColor } from '../progress.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface DiffFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly fromPlatform?: Platform
  readonly toPlatform?: Platform
  readonly files?: boolean
  readonly exitCode?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<from>', locationText)
    .argument('<to>', 'what it is compared with')
    .option('--files', 'compare the files in the layers too, which are read for that')
    .option('--exit-code', 'end with exit code 1 when the two are not the same')
    .option('--from-platform <os/arch>', 'the platform of the first image', parsePlatform)
    .option('--to-platform <os/arch>', 'the platform of the second image', parsePlatform)
    .action((from: string, to: string, flags: DiffFlags) => run({ from, to }, flags, context))
  options.addPlatformOption(
    command,
    "which platform's images, out of indexes (one that both have by default)",
  )
  options.addFormatOption(command, '{{range .Layers}}{{.Kind}} {{.Digest}}\\n{{end}}')
  options.addCommonOptions(command)
  options.addTwoEndOptions(command)
  options.addExamples(command, [
    ['dray diff alpine:3.19 alpine:3.20', 'platforms, configuration and layers'],
    ['dray diff --files app:1.0 app:1.1', 'also which files were added, removed and changed'],
    ['dray diff --platform linux/amd64 --to-platform linux/arm64 app:1 app:1', 'two platforms of one image'],
    ['dray diff --exit-code app:1 oci:./app:1', 'whether a layout has what the registry has'],
  ])
}

interface Ends {
  readonly from: string
  readonly to: string
}

async function run(ends: Ends, flags: DiffFlags, context: CliContext): Promise<void> {
  const from = parseLocation(ends.from)
  const to = parseLocation(ends.to)
  await withSession(new Session(context, flags, { locations: [from, to] }), async session => {
    const { diffText } = await import('../diff-view.ts')
    const diff = await compare({ from, to }, flags, { session, context })
    const document: DiffDocument = {
      ...diff,
      from: { reference: from.text, ...diff.from },
      to: { reference: to.text, ...diff.to },
    }
    const { env, stdout } = context
    const color = chooseColor({ env, isTTY: stdout.isTerminal })
    await session.print(document, () => diffText(document, { color }))
    // As git diff has it: no fault, so nothing is said.
    if (flags.exitCode && !diff.identical) process.exitCode = 1
  })
}

async function compare(
  { from, to }: { from: Location; to: Location },
  flags: DiffFlags,
  { session, context }: { session: Session; context: CliContext },
): Promise<ImageDiff> {
  const { diffImages } = await import('../../diff/diff-images.ts')
  const platform = options.onePlatform(flags.platform)
  const open = async (location: Location, prefix: 'from' | 'to'): Promise<DiffEnd> => {
    const ends = options.endFlags(flags, prefix)
    const { store, reference } = await session.openSource(location, ends)
    const own = prefix === 'from' ? flags.fromPlatform : flags.toPlatform
    return { source: store, reference, platform: own ?? platform, reading: { retries: ends.retries } }
  }
  return diffImages({
    from: await open(from, 'from'),
    to: await open(to, 'to'),
    files: flags.files,
    signal: context.signal,
  })
}

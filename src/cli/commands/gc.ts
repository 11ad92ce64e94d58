import type { Command } from 'commander'
import { DrayError } from '../../errors.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'
import { parseDuration } from '../units.ts'

interface GcFlags extends CommonFlags {
  /** Milliseconds. */
  readonly grace?: number
  readonly untagged?: boolean
  readonly dryRun?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<dir>', 'a folder of repositories, as dray serve has it, or one OCI layout')
    .option('--grace <duration>', 'leave what was written or used in so long a time (24h)', parseDuration)
    .option(
      '--untagged',
      'remove images too that have no tag, and that nothing with a tag needs or refers to',
    )
    .option('--dry-run', 'say what would be removed, and remove nothing')
    .action((dir: string, flags: GcFlags) => run(dir, flags, context))
  options.addFormatOption(command, '{{.FreedBytes}}')
  options.addCommonOptions(command)
  options.addExamples(command, [
    ['dray gc ./registry', 'remove what no image needs; a server may run'],
    ['dray gc --dry-run --untagged ./registry', 'what would go, with images that lost their tags'],
    ['dray gc --grace 0 ./layout', 'at once: nobody may be writing to the folder'],
  ])
  command.addHelpText('after', notes)
}

const notes = `
The grace time must be longer than a push takes: of what was pushed already, only its age tells that it will be needed.
`

async function run(dir: string, flags: GcFlags, context: CliContext): Promise<void> {
  await withSession(new Session(context, flags), async session => {
    const { collectGarbage } = await import('../../server/garbage/collect.ts')
    const { gcDocument, gcText } = await import('../gc-view.ts')
    const { grace: graceMs, untagged, dryRun } = flags
    const collection = await collectGarbage(dir, { graceMs, untagged, dryRun, signal: context.signal })
    const { failures, repositories } = collection
    const json = flags.format?.kind === 'json' || flags.format?.kind === 'jsonl'
    for (const { error } of failures) session.complain(error, { json })
    await session.print(gcDocument(collection), () => gcText(collection))
    if (failures.length === 0) return
    const failed = failures.map(({ repository }) => repository).join(', ')
    throw new DrayError('PARTIAL', `${failures.length} of ${repositories} repositories failed: ${failed}`)
  })
}

import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { addExamples, addFormatOption } from '../options.ts'
import { type CommonFlags, Session } from '../session.ts'
import { version } from '../version.ts'

export function define(command: Command, context: CliContext): void {
  addFormatOption(command, '{{.Node}}').action(async (flags: CommonFlags) => {
    const document = { version, node: process.versions.node, platform: context.platform }
    await new Session(context, flags).print(document, () => version)
  })
  addExamples(command, [
    ['dray version', 'the version alone'],
    ['dray version --format json', 'with the Node that it runs on'],
  ])
}

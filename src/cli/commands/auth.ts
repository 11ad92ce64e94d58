import type { Command } from 'commander'
import { DrayError, quote } from '../../errors.ts'
import type { CliContext } from '../context.ts'
import { addExamples } from '../options.ts'
import * as list from './auth/list.ts'
import * as show from './auth/show.ts'
import * as token from './auth/token.ts'

export function define(command: Command, context: CliContext): void {
  command
    .usage('<list|show|token> [options] …')
    .argument('[verb]')
    .action((verb: string | undefined) => {
      const said = verb === undefined ? 'dray auth needs a verb' : `unknown command ${quote(`auth ${verb}`)}`
      throw new DrayError('USAGE', said, { hint: 'dray auth --help shows list, show and token' })
    })
  const add = (name: string, summary: string) =>
    command
      .command(name)
      .summary(summary)
      .description(`${summary[0]?.toUpperCase()}${summary.slice(1)}.`)
  list.define(add('list', 'list the logins of all places, without their secrets'), context)
  show.define(add('show', 'show which login would be used for a reference, and why'), context)
  token.define(add('token', 'print a bearer token for a reference, as curl wants it'), context)
  addExamples(command, [
    ['dray auth list', 'all logins, without their secrets'],
    ['dray auth show ghcr.io/org/app', 'which one would be used, and why'],
    ['dray auth token --push ghcr.io/org/app', 'a bearer token for curl'],
  ])
}

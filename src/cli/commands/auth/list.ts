import type { Command } from 'commander'
import type { ListedLogin } from '../../../credentials/context.ts'
import { openCredentials } from '../../../credentials/credentials.ts'
import type { CliContext } from '../../context.ts'
import { mustBeThere } from '../../login-search.ts'
import * as options from '../../options.ts'
import { printable } from '../../printable.ts'
import { type CommonFlags, Session, withSession } from '../../session.ts'

interface ListFlags extends CommonFlags {
  readonly authfile?: string
}

export function define(command: Command, context: CliContext): void {
  command
    .option('--authfile <file>', 'list the logins of this file too')
    .action((flags: ListFlags) => run(flags, context))
  options.addFormatOption(command, '{{range .Logins}}{{.Registry}} {{end}}')
  options.addCommonOptions(command)
  options.addExamples(command, [
    ['dray auth list', 'registry, user, kind and place of each login'],
    ['dray auth list --format json', 'the same for a script'],
  ])
}

async function run(flags: ListFlags, context: CliContext): Promise<void> {
  if (flags.authfile !== undefined) await mustBeThere(flags.authfile)
  await withSession(new Session(context, flags), async session => {
    const credentials = openCredentials(session.connections.credentialContext(options.endFlags({ ...flags })))
    const logins = await credentials.listLogins()
    for (const fault of new Set(logins.flatMap(faultOf))) session.say(`warning: ${fault}`)
    await session.print({ logins: logins.map(documentOf) }, () => logins.map(lineOf).join(''))
  })
}

function faultOf({ origin, fault }: ListedLogin): string[] {
  if (fault === undefined) return []
  return [fault.startsWith(origin) ? fault : `${origin}: ${fault}`]
}

function documentOf({ key, user, kind, origin, fault }: ListedLogin): object {
  return {
    registry: key ?? null,
    user: user ?? null,
    kind: kind ?? null,
    origin,
    ...(fault === undefined ? {} : { fault }),
  }
}

function lineOf({ key, user, kind, origin, fault }: ListedLogin): string {
  if (fault !== undefined && key === undefined) return ''
  return `${[key ?? '-', user ?? '-', kind ?? '-', origin].map(printable).join('\t')}\n`
}

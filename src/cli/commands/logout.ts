import type { Command } from 'commander'
import { openCredentials } from '../../credentials/credentials.ts'
import { formatLoginTarget, parseLoginTarget } from '../../credentials/login-target.ts'
import { DrayError } from '../../errors.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session } from '../session.ts'
import { placeName } from './login.ts'

interface LogoutFlags extends CommonFlags {
  readonly authfile?: string
  readonly dryRun?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('[registry]', 'a registry, or a part of it: ghcr.io, ghcr.io/org', 'docker.io')
    .option('--authfile <file>', 'forget the login in this file')
    .option('--dry-run', 'say whether there is a login, and forget nothing')
    .action((text: string, flags: LogoutFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Registry}}')
  options.addCommonOptions(command)
  options.addExamples(command, [
    ['dray logout ghcr.io', 'forget the login that dray or docker stored'],
    ['dray logout ghcr.io/org', 'forget the one for a part of the registry'],
  ])
}

async function run(text: string, flags: LogoutFlags, context: CliContext): Promise<void> {
  const target = parseLoginTarget(text)
  const name = formatLoginTarget(target)
  const session = new Session(context, flags, { registries: [target.registry] })
  const credentials = openCredentials(session.connections.credentialContext(options.endFlags({ ...flags })))
  const { dryRun = false } = flags
  const places = (await credentials.eraseCredential(name, { dryRun })).map(placeName)
  const remaining = await credentials.narrowerLogins(name)
  if (places.length === 0) throw noLogin(name, remaining)
  if (remaining.length > 0) {
    session.say(`logins for parts of it remain: ${remaining.join(', ')}; dray logout takes each by its name`)
  }
  const done = dryRun ? 'would log out' : 'logged out'
  const document = { registry: name, places, remaining, dryRun }
  await session.print(document, () => `${done} of ${name} (${places.join(', ')})`)
}

function noLogin(name: string, remaining: readonly string[]): DrayError {
  const elsewhere = 'a login that was stored with --authfile or by another program has to be removed there'
  const parts = `there are logins for parts of it: ${remaining.join(', ')}; name the one to forget`
  const hint = remaining.length > 0 ? parts : elsewhere
  return new DrayError('NOT_FOUND', `there is no login for ${name}`, { hint })
}

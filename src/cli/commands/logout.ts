import type { Command } from 'commander'
import { openCredentials } from '../../credentials/credentials.ts'
import { DrayError } from '../../errors.ts'
import { parseRegistry } from '../../oci/reference.ts'
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
    .argument('[registry]', 'a registry: ghcr.io', 'docker.io')
    .option('--authfile <file>', 'forget the login in this file')
    .option('--dry-run', 'say whether there is a login, and forget nothing')
    .action((text: string, flags: LogoutFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Registry}}')
  options.addCommonOptions(command)
  options.addExamples(command, [['dray logout ghcr.io', 'forget the login that dray or docker stored']])
}

async function run(text: string, flags: LogoutFlags, context: CliContext): Promise<void> {
  const registry = parseRegistry(text)
  const session = new Session(context, flags, { registries: [registry] })
  const credentials = openCredentials(session.connections.credentialContext(options.endFlags({ ...flags })))
  const dryRun = flags.dryRun ?? false
  const places = (await credentials.eraseCredential(registry, { dryRun })).map(placeName)
  if (places.length === 0) {
    throw new DrayError('NOT_FOUND', `there is no login for ${registry}`, {
      hint: 'a login that was stored with --authfile or by another program has to be removed there',
    })
  }
  const done = dryRun ? 'would log out' : 'logged out'
  await session.print({ registry, places, dryRun }, () => `${done} of ${registry} (${places.join(', ')})`)
}

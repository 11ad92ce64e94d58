import type { Command } from 'commander'
import type { Credential } from '../../credential.ts'
import { type CredentialPlace, openCredentials } from '../../credentials/credentials.ts'
import { DrayError } from '../../errors.ts'
import { parseRegistry } from '../../oci/reference.ts'
import { flagCredential } from '../connections.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface LoginFlags extends CommonFlags, options.EndFlags {
  readonly dryRun?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('[registry]', 'a registry: ghcr.io', 'docker.io')
    .option('--dry-run', 'check the password, and store nothing')
    .action((text: string, flags: LoginFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Registry}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray login ghcr.io', 'ask for name and password'],
    ['echo "$TOKEN" | dray login -u bot --password-stdin ghcr.io', 'in a CI job'],
    ['dray login --username bot --authfile ./auth.json quay.io', 'keep it in a file of its own'],
  ])
}

/** The password is only stored once the registry has accepted it. */
async function run(text: string, flags: LoginFlags, context: CliContext): Promise<void> {
  const name = parseRegistry(text)
  await withSession(new Session(context, flags, { registries: [name] }), async session => {
    const ends = options.endFlags(flags)
    const credential = await askedCredential(name, ends, context)
    const { password, passwordStdin, username, identityToken, authfile, ...connection } = ends
    const registry = await session.connections.registry(name, connection)
    const check = await registry.checkLogin(credential)
    if (check === 'unasked') {
      session.say(`warning: ${name} lets everybody in; the password could not be checked`)
    }
    const logins = openCredentials(session.connections.credentialContext(ends))
    const stored = flags.dryRun ? undefined : await logins.storeCredential(name, credential)
    const place = stored === undefined ? null : placeName(stored.place)
    if (stored?.plain) {
      session.say(
        `warning: the login is kept in ${place}, in base64 only; docker's credsStore hides it better`,
      )
    }
    const user = credential.kind === 'basic' ? credential.username : null
    const document = { registry: name, check, user, stored: place, dryRun: flags.dryRun ?? false }
    const done = flags.dryRun ? 'would log in' : 'logged in'
    await session.print(document, () => `${done} to ${name}${user === null ? '' : ` as ${user}`}`)
  })
}

/** A place where logins are kept, for people. */
export function placeName(place: CredentialPlace): string {
  return place.kind === 'file' ? place.path : place.program
}

async function askedCredential(
  registry: string,
  flags: options.EndFlags,
  context: CliContext,
): Promise<Credential> {
  const isComplete = flags.password !== undefined || flags.passwordStdin || flags.identityToken !== undefined
  if (isComplete) {
    const given = await flagCredential(flags, context)
    if (given !== undefined) return given
  }
  return promptedCredential(registry, flags.username, context)
}

async function promptedCredential(
  registry: string,
  given: string | undefined,
  context: CliContext,
): Promise<Credential> {
  const { openTerminal } = await import('../terminal.ts')
  const { promptLine } = await import('../prompt.ts')
  const terminal = openTerminal({ stdin: context.stdin, stderr: context.stderr })
  if (terminal === undefined) {
    throw new DrayError('USAGE', `no password for ${registry}, and no terminal to ask at`, {
      hint: 'give --username NAME and pipe the password in with --password-stdin',
    })
  }
  try {
    const { signal } = context
    const username =
      given ?? (await promptLine(`Username for ${registry}: `, terminal, { echo: true, signal }))
    const password = await promptLine(`Password for ${username} at ${registry}: `, terminal, { signal })
    if (username === '' || password === '')
      throw new DrayError('USAGE', 'neither may be empty: name and password')
    return { kind: 'basic', username, password }
  } finally {
    terminal.close()
  }
}

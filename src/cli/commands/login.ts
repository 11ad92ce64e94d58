import { type Command, Option } from 'commander'
import type { Credential, CredentialTarget } from '../../credential.ts'
import { openCredentials, type StoredCredential } from '../../credentials/credentials.ts'
import { type CredentialPlace, type LoginStore, loginStores } from '../../credentials/kept-logins.ts'
import { formatLoginTarget, parseLoginTarget } from '../../credentials/login-target.ts'
import { DrayError } from '../../errors.ts'
import { flagCredential } from '../connections.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface LoginFlags extends CommonFlags, options.EndFlags {
  readonly store: LoginStore
  readonly dryRun?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('[registry]', 'a registry, or a part of it: ghcr.io, ghcr.io/org', 'docker.io')
    .addOption(
      new Option(
        '--store <where>',
        "who keeps it: docker's config file or its helper, or the system's keychain",
      )
        .choices(loginStores)
        .default('auto'),
    )
    .option('--dry-run', 'check the password, and store nothing')
    .action((text: string, flags: LoginFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Registry}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray login ghcr.io', 'ask for name and password'],
    ['dray login ghcr.io/org', 'another account, for the repositories below ghcr.io/org'],
    ['echo "$TOKEN" | dray login -u bot --password-stdin ghcr.io', 'in a CI job'],
    ['dray login --username bot --authfile ./auth.json quay.io', 'keep it in a file of its own'],
  ])
}

/** The password is only stored once the registry has accepted it. */
async function run(text: string, flags: LoginFlags, context: CliContext): Promise<void> {
  const target = parseLoginTarget(text)
  const name = formatLoginTarget(target)
  await withSession(new Session(context, flags, { registries: [target.registry] }), async session => {
    const ends = options.endFlags(flags)
    const credential = await askedCredential(name, ends, context)
    const check = await checkLogin(target, { credential, ends, session })
    if (check === 'unasked') {
      session.say(`warning: ${target.registry} lets everybody in; the password could not be checked`)
    }
    const logins = openCredentials(session.connections.credentialContext(ends))
    const { store, dryRun = false } = flags
    const stored = dryRun ? undefined : await logins.storeCredential(name, credential, { store })
    if (stored !== undefined) tell(stored, session, flags)
    const place = stored === undefined ? null : placeName(stored.place)
    const user = credential.kind === 'basic' ? credential.username : null
    const done = dryRun ? 'would log in' : 'logged in'
    await session.print(
      { registry: name, check, user, stored: place, dryRun },
      () => `${done} to ${name}${user === null ? '' : ` as ${user}`}`,
    )
  })
}

/** A place where logins are kept, for people. */
export function placeName(place: CredentialPlace): string {
  if (place.kind === 'keychain') return 'keychain'
  return place.kind === 'file' ? place.path : place.program
}

interface Checking {
  readonly credential: Credential
  readonly ends: options.EndFlags
  readonly session: Session
}

async function checkLogin({ registry }: CredentialTarget, { credential, ends, session }: Checking) {
  const { password, passwordStdin, username, identityToken, authfile, ...connection } = ends
  return (await session.connections.registry(registry, connection)).checkLogin(credential)
}

/** Why the keychain did not take it is of interest where one was expected; on most servers there is none. */
function tell(stored: StoredCredential, session: Session, { debug }: CommonFlags): void {
  const { place, plain, warnings, keychainFault, hiddenBy } = stored
  if (debug && keychainFault !== undefined) session.say(`the keychain is not used: ${keychainFault.message}`)
  for (const warning of warnings) session.say(`warning: ${warning}`)
  if (plain) {
    const kept = `the login is kept in ${placeName(place)}, in base64 only`
    session.say(`warning: ${kept}; docker's credsStore hides it better`)
  }
  if (hiddenBy !== undefined) session.say(`warning: ${hiddenBy} comes before it and will be used instead`)
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

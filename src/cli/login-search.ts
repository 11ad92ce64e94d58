import type { CredentialTarget } from '../credential.ts'
import type { CredentialEntry } from '../credentials/context.ts'
import type { SearchStep } from '../credentials/credentials.ts'
import { type Connections, flagCredential } from './connections.ts'
import type { CliContext } from './context.ts'
import type { EndFlags } from './options.ts'
import { readPasswordFromStdin } from './password-stdin.ts'

export interface LoginSearchOptions {
  readonly flags: EndFlags
  readonly context: CliContext
  readonly connections: Connections
}

/**
 * The way to a login, as `Connections` goes it: what flags give comes before all places.
 * @throws DrayError `IO` for an `--authfile` that is not there, `USAGE` for half a login
 */
export async function searchLogin(
  target: CredentialTarget,
  { flags, context, connections }: LoginSearchOptions,
): Promise<SearchStep[]> {
  const given = await flagCredential(flags, context)
  if (given !== undefined) {
    const place = 'the flags'
    return [{ place, result: 'hit', entry: { credential: given, origin: place } }]
  }
  if (flags.authfile !== undefined) await mustBeThere(flags.authfile)
  const { openCredentials } = await import('../credentials/credentials.ts')
  return openCredentials(connections.credentialContext(flags)).explainSearch(target)
}

/** The flags with the password itself where it is to be read from standard input, which gives it only once. */
export async function withPassword(flags: EndFlags, { stdin }: CliContext): Promise<EndFlags> {
  const { passwordStdin, ...others } = flags
  return passwordStdin ? { ...others, password: await readPasswordFromStdin(stdin) } : flags
}

/** The login that was found, if one was. */
export function hitOf(steps: readonly SearchStep[]): CredentialEntry | undefined {
  return steps.flatMap(step => (step.result === 'hit' ? [step.entry] : []))[0]
}

/** What is to say of a place, where there is something. */
export function whyOf(step: SearchStep): string | undefined {
  if (step.result === 'failed') return step.error.message
  return step.result === 'no entry' ? step.why : step.result === 'hit' ? step.entry.key : undefined
}

/**
 * A file that was named must be there, as for the verbs that log in with it.
 * @throws DrayError `IO`
 */
export async function mustBeThere(file: string): Promise<void> {
  const { access } = await import('node:fs/promises')
  const { onDisk } = await import('../files/io-error.ts')
  await onDisk(file, access(file), 'IO')
}

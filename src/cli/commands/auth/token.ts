import type { Command } from 'commander'
import type { CredentialTarget } from '../../../credential.ts'
import { DrayError } from '../../../errors.ts'
import type { CliContext } from '../../context.ts'
import * as options from '../../options.ts'
import { type CommonFlags, Session, withSession } from '../../session.ts'
import { parseAuthTarget } from './target.ts'

interface TokenFlags extends CommonFlags, options.EndFlags {
  readonly scope?: readonly string[]
  readonly push?: boolean
  readonly delete?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<reference>', 'an image, a repository or a registry')
    .option('--push', 'ask for the right to push too')
    .option('--delete', 'ask for the right to delete too')
    .option<string[]>('--scope <scope>', 'ask for this instead; repeatable', (scope, scopes = []) => [
      ...scopes,
      scope,
    ])
    .action((text: string, flags: TokenFlags) => run(text, flags, context))
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['curl -H "Authorization: Bearer $(dray auth token alpine)" …', 'what a login, or anybody, may pull'],
    ['dray auth token --push ghcr.io/org/app', 'for uploads'],
    ["dray auth token --scope 'registry:catalog:*' localhost:5000", 'for the catalog'],
  ])
}

async function run(text: string, flags: TokenFlags, context: CliContext): Promise<void> {
  const target = parseAuthTarget(text)
  const scopes = scopesOf(target, flags)
  await withSession(new Session(context, flags, { registries: [target.registry] }), async session => {
    const registry = await session.connections.registry(target.registry, options.endFlags(flags))
    const token = await registry.token({ scopes, repository: target.repository })
    const missing = await missingActionsOf(token, target, flags)
    if (missing.length > 0) session.say(`warning: the token grants no right to ${missing.join(' or ')}`)
    await session.printRaw(Buffer.from(`${token}\n`))
  })
}

/** What is not granted is left out of a token without a word; some tokens can be read. */
async function missingActionsOf(
  token: string,
  { repository }: CredentialTarget,
  { scope, ...flags }: TokenFlags,
): Promise<string[]> {
  if (scope !== undefined || repository === undefined) return []
  const { missingActions, readClaims } = await import('../../../doctor/token-claims.ts')
  const claims = readClaims(token)
  return claims?.access === undefined ? [] : missingActions(claims, repository, actionsOf(flags))
}

function scopesOf({ registry, repository }: CredentialTarget, flags: TokenFlags): readonly string[] {
  const { scope, push = false, delete: remove = false } = flags
  if (scope !== undefined) {
    if (push || remove) throw new DrayError('USAGE', '--scope stands for itself, without --push and --delete')
    return scope
  }
  if (repository !== undefined) {
    return [`repository:${repository}:${actionsOf(flags).join(',')}`]
  }
  if (!push && !remove) return []
  throw new DrayError('USAGE', `${registry} is a whole registry: --push and --delete are about a repository`)
}

function actionsOf({ push = false, delete: remove = false }: Pick<TokenFlags, 'push' | 'delete'>): string[] {
  return ['pull', ...(push ? ['push'] : []), ...(remove ? ['delete'] : [])]
}

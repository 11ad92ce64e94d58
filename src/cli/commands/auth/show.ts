import type { Command } from 'commander'
import type { CredentialEntry } from '../../../credentials/context.ts'
import type { SearchStep } from '../../../credentials/credentials.ts'
import { describeCredential } from '../../../credentials/login.ts'
import { formatLoginTarget } from '../../../credentials/login-target.ts'
import type { CliContext } from '../../context.ts'
import { hitOf, searchLogin, whyOf } from '../../login-search.ts'
import * as options from '../../options.ts'
import { printable } from '../../printable.ts'
import { type CommonFlags, Session, withSession } from '../../session.ts'
import { parseAuthTarget } from './target.ts'

interface ShowFlags extends CommonFlags, options.EndFlags {}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<reference>', 'an image, a repository or a registry')
    .action((text: string, flags: ShowFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Credential.User}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray auth show ghcr.io/org/app', 'the places in order, and the login that is used'],
    ["dray auth show --format '{{.Credential.Origin}}' ghcr.io/org/app", 'only where it comes from'],
  ])
}

async function run(text: string, flags: ShowFlags, context: CliContext): Promise<void> {
  const target = parseAuthTarget(text)
  await withSession(new Session(context, flags, { registries: [target.registry] }), async session => {
    const { connections } = session
    const steps = await searchLogin(target, { flags: options.endFlags(flags), context, connections })
    const winner = hitOf(steps)
    const name = formatLoginTarget(target)
    const document = {
      registry: target.registry,
      repository: target.repository ?? null,
      places: steps.map(documentOf),
      credential: winner === undefined ? null : describeEntry(winner),
    }
    await session.print(document, () => `${steps.map(lineOf).join('')}${conclusion(name, steps, winner)}`)
    for (const step of steps) if (step.result === 'failed') throw step.error
  })
}

function describeEntry({ credential, origin, key }: CredentialEntry): object {
  const { user, kind } = describeCredential(credential)
  return { user: user ?? null, kind, origin, for: key ?? null }
}

function documentOf(step: SearchStep): object {
  return { place: step.place, result: step.result, why: whyOf(step) ?? null }
}

function lineOf(step: SearchStep): string {
  const why = whyOf(step)
  return printableLine(`${step.result.padEnd(8)}  ${step.place}${why === undefined ? '' : ` (${why})`}`)
}

function conclusion(name: string, steps: readonly SearchStep[], winner: CredentialEntry | undefined): string {
  if (steps.some(({ result }) => result === 'failed')) return ''
  if (winner === undefined) return printableLine(`${name}: no login, so anonymous`)
  const { user, kind } = describeCredential(winner.credential)
  const who = user === undefined ? kind : `${user} (${kind})`
  return printableLine(`${name}: ${who}, from ${winner.origin}`)
}

function printableLine(line: string): string {
  return `${printable(line)}\n`
}

import type { Command } from 'commander'
import { describeCredential } from '../../credentials/login.ts'
import { defaultRegistry, tagOrDigest } from '../../oci/reference.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'
import { parseTarget } from '../target.ts'

interface RateLimitFlags extends CommonFlags, options.EndFlags {}

export function define(command: Command, context: CliContext): void {
  command
    .argument('[reference]', 'a registry, or an image in it', defaultRegistry)
    .action((text: string, flags: RateLimitFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Remaining}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray ratelimit', 'what Docker Hub still allows; to ask costs nothing'],
    ['dray ratelimit nginx', 'for one image: some have no limit'],
    ['dray ratelimit --format json registry.example', 'of another registry, for a script'],
  ])
}

async function run(text: string, flags: RateLimitFlags, context: CliContext): Promise<void> {
  const target = parseTarget(text)
  const { registry: name, repository } = target
  await withSession(new Session(context, flags, { registries: [name] }), async session => {
    const { connections } = session
    const { hitOf, searchLogin, withPassword } = await import('../login-search.ts')
    const { readRateLimit } = await import('../../registry/read-rate-limit.ts')
    const { rateLimitText } = await import('../rate-limit-view.ts')
    const ends = await withPassword(options.endFlags(flags), context)
    const { registry } = await connections.open(target, ends)
    const image = repository === undefined ? undefined : { repository, reference: tagOrDigest(target) }
    const limit = await readRateLimit(registry, image)
    const hit = hitOf(await searchLogin(target, { flags: ends, context, connections }))
    const document = {
      registry: name,
      limited: limit !== undefined,
      limit: limit?.limit ?? null,
      remaining: limit?.remaining ?? null,
      windowSeconds: limit?.windowSeconds ?? null,
      resetAt: limit?.resetAt == null ? null : new Date(limit.resetAt).toISOString(),
      source: limit?.source ?? null,
      user: hit === undefined ? null : (describeCredential(hit.credential).user ?? null),
    }
    await session.print(document, () => rateLimitText(document))
  })
}

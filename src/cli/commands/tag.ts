import type { Command } from 'commander'
import { DrayError } from '../../errors.ts'
import { tagFault } from '../../oci/reference.ts'
import type { CliContext } from '../context.ts'
import { parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface TagFlags extends CommonFlags {
  readonly dryRun?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', 'a reference, or oci:DIR[:TAG]')
    .argument('<tag...>', 'the new tags, in the same repository')
    .option('--dry-run', 'say what would be tagged, and tag nothing')
    .action((text: string, tags: readonly string[], flags: TagFlags) => run({ text, tags }, flags, context))
  options.addFormatOption(command, '{{.Digest}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray tag ghcr.io/org/app:1.2.3 1.2 1 latest', 'three tags at once, no blob moves'],
    ['dray tag ghcr.io/org/app@sha256:… stable', 'tag what has no tag yet'],
  ])
}

/** One manifest read, one write for each tag. */
async function run(
  { text, tags }: { readonly text: string; readonly tags: readonly string[] },
  flags: TagFlags,
  context: CliContext,
): Promise<void> {
  const location = parseLocation(text)
  for (const tag of tags) {
    const fault = tagFault(tag)
    if (fault !== undefined) throw new DrayError('USAGE', `"${tag}" cannot be a tag: ${fault}`)
  }
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { store, tagged, reference } = await session.openToEdit(
      location,
      options.endFlags(flags),
      'pull,push',
    )
    const manifest = await store.readManifest(reference)
    if (!flags.dryRun) await tagged.putManifest(manifest, tags)
    const { digest } = manifest
    const document = { repository: tagged.name, digest, tags, dryRun: flags.dryRun ?? false }
    await session.print(document, () =>
      tags.map(tag => `${flags.dryRun ? 'would tag ' : ''}${tagged.name}:${tag}@${digest}\n`).join(''),
    )
  })
}

import type { Command } from 'commander'
import type { TagOrDigest } from '../../image-store.ts'
import type { Layout } from '../../layout/layout.ts'
import { isDigest } from '../../oci/digest.ts'
import type { DeletedImage } from '../../registry/delete-image.ts'
import type { CliContext } from '../context.ts'
import { parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, type OpenPlace, Session, withSession } from '../session.ts'

interface DeleteFlags extends CommonFlags {
  readonly force?: boolean
  readonly viaDummy?: boolean
  readonly dryRun?: boolean
  readonly jobs: number
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', 'a reference, or oci:DIR:TAG')
    .option('-f, --force', 'delete other tags of the same image too, where the registry cannot leave them')
    .option('--via-dummy', 'where a tag cannot go alone: move it to an image made for that, and delete that')
    .option('--dry-run', 'say what would be deleted, and delete nothing')
    .option('-j, --jobs <n>', 'how many tags to look up at a time', options.parsePositive, 8)
    .action((text: string, flags: DeleteFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{.Digest}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray delete localhost:5000/app:old', 'one tag; others of the same image stay'],
    ['dray delete localhost:5000/app@sha256:…', 'an image that has no tag any more'],
    ['dray delete --dry-run --force localhost:5000/app@sha256:…', 'what would go with all its tags'],
  ])
}

async function run(text: string, flags: DeleteFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { store, reference } = await session.openToEdit(location, options.endFlags(flags), 'own')
    const deleted = await deleteFrom(store, reference, { ...flags, signal: context.signal })
    if (deleted.siblings.length > 0) {
      const others = deleted.siblings.join(', ')
      session.say(`other tags of the same image: ${others}; ${whereNotAlone(flags)}`)
    }
    const verb = deleted.dryRun ? 'would delete' : 'deleted'
    const names = deleted.tags.map(tag => `${deleted.repository}:${tag}`)
    if (deleted.manifest) names.push(`${deleted.repository}@${deleted.digest}`)
    await session.print(deleted, () => names.map(name => `${verb} ${name}\n`).join(''))
  })
}

/** What becomes of a tag's siblings at a registry that cannot delete a tag alone. */
function whereNotAlone({ force, viaDummy }: DeleteFlags): string {
  const where = 'a registry that cannot delete a tag alone'
  if (viaDummy) return `at ${where} this one is moved to an image made for that, which is deleted`
  return force ? `${where} deletes them too` : `${where} refuses`
}

type DeleteOptions = Pick<DeleteFlags, 'force' | 'viaDummy' | 'dryRun' | 'jobs'> & {
  readonly signal: AbortSignal
}

async function deleteFrom(
  store: OpenPlace['store'],
  reference: TagOrDigest,
  flags: DeleteOptions,
): Promise<DeletedImage> {
  const { Repository } = await import('../../registry/repository.ts')
  if (!(store instanceof Repository)) return deleteFromLayout(store, reference, flags)
  const { deleteImage } = await import('../../registry/delete-image.ts')
  return deleteImage(store, reference, flags)
}

async function deleteFromLayout(
  layout: Layout,
  reference: TagOrDigest,
  flags: DeleteOptions,
): Promise<DeletedImage> {
  const { digest } = await layout.resolve(reference)
  const dryRun = flags.dryRun ?? false
  const base = { repository: layout.name, digest, siblings: [], dryRun }
  if (!isDigest(reference)) {
    if (!dryRun) await layout.deleteTag(reference)
    return { ...base, tags: [reference], manifest: false }
  }
  const tags = await layout.tagsOf(reference)
  if (tags.length > 0 && !flags.force) {
    const { wouldTakeAlong } = await import('../../registry/would-take-along.ts')
    throw wouldTakeAlong(layout, reference, tags)
  }
  if (!dryRun) await layout.deleteManifest(reference)
  return { ...base, tags, manifest: true }
}

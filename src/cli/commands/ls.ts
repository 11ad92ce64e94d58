import { type Command, Option } from 'commander'
import { DrayError } from '../../errors.ts'
import { parseRepository } from '../../oci/reference.ts'
import type { Repository } from '../../registry/repository.ts'
import type { CliContext } from '../context.ts'
import { isPath, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { printable } from '../printable.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'
import { type TagSelection, tagSorts } from '../tag-selection.ts'

interface LsFlags extends CommonFlags, TagSelection {
  readonly digests?: boolean
  readonly fullRef?: boolean
  readonly pageSize?: number
  readonly jobs: number
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<repository>', 'a repository, oci:DIR, or the path of a folder or archive of images')
    .option('--semver <range>', "only versions in this range: '^1.2', '>=3 <4'; a leading v is allowed")
    .option('--prerelease', 'count pre-releases in')
    .option('--match <pattern>', 'only tags that match: a glob, or a regular expression between slashes')
    .addOption(new Option('--sort <order>', "default: the registry's own order").choices(tagSorts))
    .option('--reverse', 'turn the order around')
    .option('--latest <n>', 'only the newest n', options.parsePositive)
    .option('--digests', 'show what each tag stands for (one request a tag)')
    .option('--full-ref', 'print repository:tag instead of the tag alone')
    .option('--page-size <n>', 'how many to ask for at once (1000)', options.parsePositive)
    .option('-j, --jobs <n>', 'how many requests at a time, for --digests', options.parsePositive, 8)
    .action((text: string, flags: LsFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{range .Tags}}{{.}} {{end}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray ls alpine', 'all tags, a line each'],
    ["dray ls --semver '^3.18' --sort semver alpine", 'versions from 3.18 on, oldest first'],
    ['dray ls --latest 1 ghcr.io/org/app', 'the newest release'],
    ["dray ls --match '*-alpine' --digests node", 'tags with their digests'],
    ['dray ls oci:./layout', 'the tags of an OCI layout'],
    ['dray ls bundle.tar', 'the images in an archive: names, digests, sizes, platforms, what refers to them'],
  ])
}

async function run(text: string, flags: LsFlags, context: CliContext): Promise<void> {
  if (isPath(text) || /^(?:oci-archive|docker-archive|dir):/.test(text))
    return listContents(text, flags, context)
  const place = parsePlace(text)
  const registries = place.kind === 'registry' ? [place.registry] : []
  await withSession(new Session(context, flags, { registries }), async session => {
    const { name, list, resolve } = await openList(place, flags, session)
    const listed = await list()
    const tags = choosingFlags.some(flag => flags[flag] !== undefined)
      ? (await import('../tags.ts')).selectTags(listed, flags)
      : listed
    const prefix = flags.fullRef ? `${name}:` : ''
    if (!flags.digests) {
      await session.print({ repository: name, tags }, () =>
        tags.map(tag => `${printable(prefix + tag)}\n`).join(''),
      )
      return
    }
    const { withWorkGroup } = await import('../../work-group.ts')
    const { signal } = context
    const rows = await withWorkGroup({ limit: flags.jobs, signal }, group =>
      group.map(tags, async tag => ({ tag, digest: (await resolve(tag)).digest })),
    )
    await session.print({ repository: name, tags: rows }, () =>
      rows.map(({ tag, digest }) => `${printable(prefix + tag)}\t${digest}\n`).join(''),
    )
  })
}

/** Flags that choose among the tags of a repository. */
const choosingFlags = ['semver', 'prerelease', 'match', 'sort', 'reverse', 'latest'] as const

/** Flags that mean something for the tags of a repository alone. */
const tagFlags = [...choosingFlags, 'digests', 'fullRef', 'pageSize'] as const

/** What a folder or archive holds, in its own order. */
async function listContents(text: string, flags: LsFlags, context: CliContext): Promise<void> {
  const given = tagFlags.find(flag => flags[flag] !== undefined)
  if (given !== undefined) {
    const option = given.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
    throw new DrayError('USAGE', `--${option} is for the tags of a repository, not for what ${text} holds`)
  }
  const { openContents, openContentsOf } = await import('../stored-contents.ts')
  const { contentsDocument, contentsText } = await import('../contents-view.ts')
  await withSession(new Session(context, flags), async session => {
    const { storage } = session
    const location = isPath(text) ? undefined : parseLocation(text)
    const isLocation = location !== undefined && 'path' in location
    if (isLocation && (location.name ?? location.digest) !== undefined)
      throw new DrayError(
        'USAGE',
        `${text}: only a folder or archive is wanted here, without the name of an image`,
      )
    const contents = isLocation ? await openContentsOf(location, storage) : await openContents(text, storage)
    const document = await contentsDocument(contents)
    await session.print(document, () => contentsText(document))
  })
}

type Place =
  | { readonly kind: 'oci'; readonly path: string }
  | { readonly kind: 'registry'; readonly registry: string; readonly repository: string }

/** A layout's folder, or a repository, without a tag. */
function parsePlace(text: string): Place {
  const location = text.startsWith('oci:') ? parseLocation(text) : undefined
  if (location?.kind === 'oci') return { kind: 'oci', path: location.path }
  return { kind: 'registry', ...parseRepository(text.replace(/^docker:\/\//, '')) }
}

interface TagList {
  readonly name: string
  readonly list: () => Promise<readonly string[]>
  readonly resolve: Repository['resolve']
}

async function openList(place: Place, flags: LsFlags, session: Session): Promise<TagList> {
  if (place.kind === 'oci') {
    const { openLayout } = await import('../../layout/layout.ts')
    const layout = await openLayout(place.path)
    return { name: layout.name, list: () => layout.listTags(), resolve: tag => layout.resolve(tag) }
  }
  const store = await session.connections.repository(place, options.endFlags(flags), 'own')
  const list = async () => {
    const tags: string[] = []
    for await (const tag of store.tags(flags.pageSize)) tags.push(tag)
    return tags
  }
  return { name: store.name, list, resolve: tag => store.resolve(tag) }
}

import type { Command } from 'commander'
import { defaultRegistry, parseRegistry } from '../../oci/reference.ts'
import type { FoundRepository } from '../../registry/providers/provider.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { printable } from '../printable.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'
import { alignRows, cutTo } from '../text-width.ts'

interface SearchFlags extends CommonFlags {
  readonly registry: string
  readonly limit: number
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<words...>', 'what to look for in names and descriptions')
    .option('--registry <host>', 'where to look', defaultRegistry)
    .option('-n, --limit <n>', 'show no more than so many', options.parsePositive, 25)
    .action((words: string[], flags: SearchFlags) => run(words.join(' '), flags, context))
  options.addFormatOption(command, '{{range .Repositories}}{{.Name}} {{end}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray search nginx', 'at Docker Hub, without a login'],
    [
      'dray search --registry harbor.example.com team api',
      'at a Harbor, Quay, or any registry with an open catalog',
    ],
    ['dray search --limit 5 --format json redis', 'for a script'],
  ])
}

async function run(words: string, flags: SearchFlags, context: CliContext): Promise<void> {
  const name = parseRegistry(flags.registry)
  await withSession(new Session(context, flags, { registries: [name] }), async session => {
    const registry = await session.connections.registry(name, options.endFlags(flags))
    const repositories: FoundRepository[] = []
    for await (const repository of registry.search(words)) {
      repositories.push(repository)
      if (repositories.length === flags.limit) break
    }
    await session.print({ registry: name, words, repositories }, () =>
      searchText(repositories, context.stdout.columns),
    )
  })
}

/** A line for each: its name, stars, what it is. On a terminal the description is cut to the line. */
function searchText(repositories: readonly FoundRepository[], columns: number | undefined): string {
  const rows = repositories.map(({ name, stars, official, description }) => [
    printable(name),
    stars === null ? '' : String(stars),
    official ? 'official' : '',
    printable((description ?? '').replace(/\s+/g, ' ').trim()),
  ])
  const lines = alignRows(rows, [1])
  return lines.map(line => `${columns === undefined ? line : cutTo(line, columns)}\n`).join('')
}

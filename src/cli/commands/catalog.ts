import type { Command } from 'commander'
import { parseRegistry } from '../../oci/reference.ts'
import type { CliContext } from '../context.ts'
import * as options from '../options.ts'
import { printable } from '../printable.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface CatalogFlags extends CommonFlags {
  readonly fullRef?: boolean
  readonly pageSize?: number
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<registry>', 'a registry: localhost:5000')
    .option('--full-ref', 'print registry/repository instead of the repository alone')
    .option('--page-size <n>', 'how many to ask for at once (1000)', options.parsePositive)
    .action((text: string, flags: CatalogFlags) => run(text, flags, context))
  options.addFormatOption(command, '{{range .Repositories}}{{.}} {{end}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray catalog localhost:5000', 'one repository a line'],
    ['dray catalog --full-ref localhost:5000 | xargs -n1 dray ls', 'the tags of them all'],
  ])
}

async function run(text: string, flags: CatalogFlags, context: CliContext): Promise<void> {
  const name = parseRegistry(text)
  await withSession(new Session(context, flags, { registries: [name] }), async session => {
    const registry = await session.connections.registry(name, options.endFlags(flags))
    const repositories: string[] = []
    for await (const repository of registry.catalog(flags.pageSize)) repositories.push(repository)
    const prefix = flags.fullRef ? `${name}/` : ''
    await session.print({ registry: name, repositories }, () =>
      repositories.map(repository => `${printable(prefix + repository)}\n`).join(''),
    )
  })
}

import { Command } from 'commander'
import { DrayError } from '../errors.ts'
import type { CliContext } from './context.ts'
import { version } from './version.ts'

/** One verb's file: declares its arguments and options, and what it does. */
export interface CommandModule {
  define(command: Command, context: CliContext): void
}

interface Verb {
  readonly name: string
  readonly alias?: string
  readonly group: string
  readonly summary: string
  readonly load: () => Promise<CommandModule>
}

const images = 'Images:'
const registries = 'Registries:'
const accounts = 'Accounts:'
const shell = 'Shell:'

const verbs: readonly Verb[] = [
  {
    name: 'copy',
    alias: 'cp',
    group: images,
    summary: 'copy an image, all its platforms, from one place to another',
    load: () => import('./commands/copy.ts'),
  },
  {
    name: 'pull',
    group: images,
    summary: 'pull images into a folder or an archive',
    load: () => import('./commands/pull.ts'),
  },
  {
    name: 'push',
    group: images,
    summary: 'push the images of a folder or an archive',
    load: () => import('./commands/push.ts'),
  },
  {
    name: 'inspect',
    group: images,
    summary: 'show what an image is: platforms, configuration, layers',
    load: () => import('./commands/inspect.ts'),
  },
  {
    name: 'digest',
    group: images,
    summary: 'print the digest that a tag stands for',
    load: () => import('./commands/digest.ts'),
  },
  {
    name: 'manifest',
    group: images,
    summary: "print an image's manifest or index as it is",
    load: () => import('./commands/manifest.ts'),
  },
  {
    name: 'config',
    group: images,
    summary: "print an image's configuration as it is",
    load: () => import('./commands/config.ts'),
  },
  {
    name: 'blob',
    group: images,
    summary: 'print a blob, or a part of it, as it is',
    load: () => import('./commands/blob.ts'),
  },
  {
    name: 'validate',
    group: images,
    summary: 'check an image to the last byte: digests, sizes, media types, layers',
    load: () => import('./commands/validate.ts'),
  },
  {
    name: 'export',
    group: images,
    summary: "write an image's filesystem, or one layer, as a tar archive",
    load: () => import('./commands/export.ts'),
  },
  {
    name: 'cat',
    group: images,
    summary: 'print a file of an image',
    load: () => import('./commands/cat.ts'),
  },
  {
    name: 'ls-files',
    group: images,
    summary: 'list the files of an image, or of one layer',
    load: () => import('./commands/ls-files.ts'),
  },
  {
    name: 'diff',
    group: images,
    summary: 'compare two images: platforms, configuration, layers, files',
    load: () => import('./commands/diff.ts'),
  },
  {
    name: 'tag',
    group: images,
    summary: 'give an image more tags, without moving its content',
    load: () => import('./commands/tag.ts'),
  },
  {
    name: 'delete',
    alias: 'rm',
    group: images,
    summary: 'delete a tag or an image',
    load: () => import('./commands/delete.ts'),
  },
  {
    name: 'ls',
    group: registries,
    summary: 'list the tags of a repository, or the images in a folder or archive',
    load: () => import('./commands/ls.ts'),
  },
  {
    name: 'catalog',
    group: registries,
    summary: 'list the repositories of a registry',
    load: () => import('./commands/catalog.ts'),
  },
  {
    name: 'search',
    group: registries,
    summary: 'look for repositories',
    load: () => import('./commands/search.ts'),
  },
  {
    name: 'ratelimit',
    group: registries,
    summary: 'show how many requests a registry still allows',
    load: () => import('./commands/ratelimit.ts'),
  },
  {
    name: 'doctor',
    group: registries,
    summary: 'find out why a registry cannot be pulled from or pushed to',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'serve',
    group: registries,
    summary: 'serve a folder as a registry',
    load: () => import('./commands/serve.ts'),
  },
  {
    name: 'gc',
    group: registries,
    summary: 'remove from a served folder what no image needs any more',
    load: () => import('./commands/gc.ts'),
  },
  {
    name: 'login',
    group: accounts,
    summary: 'check a password against a registry and keep it',
    load: () => import('./commands/login.ts'),
  },
  {
    name: 'logout',
    group: accounts,
    summary: 'forget the login of a registry',
    load: () => import('./commands/logout.ts'),
  },
  {
    name: 'auth',
    group: accounts,
    summary: 'show which logins there are, which one is used and why; print a token',
    load: () => import('./commands/auth.ts'),
  },
  {
    name: 'version',
    group: shell,
    summary: 'print the version',
    load: () => import('./commands/version.ts'),
  },
]

export interface ProgramOptions {
  readonly context: CliContext
  /** Takes the text of `--help`. */
  readonly onHelp: (text: string) => void
}

/** The program with the one verb loaded that the arguments name; the others are there for `--help` only. */
export async function createProgram(args: readonly string[], options: ProgramOptions): Promise<Command> {
  const program = new Command('dray')
    .description('Copies, inspects, lists, tags, deletes and serves container images.')
    .usage('<verb> [options] …')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this, or with a verb its options and examples')
    .helpCommand('help [verb]', 'show the options and examples of a verb')
  takeOver(program, options)
  const named = namedVerb(args)
  for (const verb of verbs) {
    const command = addCommand(program, verb)
    takeOver(command, options)
    if (verb !== named) continue
    ;(await verb.load()).define(command, options.context)
    for (const part of command.commands) takeOver(part, options)
  }
  return program
}

function namedVerb(args: readonly string[]): Verb | undefined {
  const words = args.filter(arg => !arg.startsWith('-'))
  const word = words[0] === 'help' ? words[1] : words[0]
  return verbs.find(({ name, alias }) => word !== undefined && (word === name || word === alias))
}

function addCommand(program: Command, { name, alias, group, summary }: Verb): Command {
  const description = `${summary[0]?.toUpperCase()}${summary.slice(1)}.`
  const command = program.command(name).summary(summary).description(description).helpGroup(group)
  return alias === undefined ? command : command.alias(alias)
}

/** Neither prints nor ends the process by itself: the exit code and how an error looks are main's. */
function takeOver(command: Command, { onHelp }: ProgramOptions): void {
  command
    .configureOutput({ writeOut: onHelp, writeErr: () => undefined, getOutHelpWidth: () => 100 })
    .exitOverride(error => {
      if (error.exitCode === 0) throw error
      // Of `help` with an unknown verb commander says nothing.
      const said =
        error.code === 'commander.help' ? `unknown command '${command.args[1] ?? ''}'` : error.message
      // Behind the `=` of an option that was mistyped there may be a password.
      const message = said
        .replace(/^error: /, '')
        .replace(/^(unknown option '[^=']*)=.*'/s, "$1'")
        .replaceAll('\n', ' ')
      throw new DrayError('USAGE', message, { hint: `${callOf(command)} --help shows what it takes` })
    })
}

/** `dray auth show` */
function callOf(command: Command): string {
  return command.parent === null ? command.name() : `${callOf(command.parent)} ${command.name()}`
}

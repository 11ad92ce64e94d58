import type { Command } from 'commander'
import type { Platform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import { openImageLayers } from '../image-layers.ts'
import { parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface CatFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly layer?: string
  readonly verify?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', 'a reference, or oci:DIR[:TAG]')
    .argument('<path>', 'a file in the image; symlinks are followed within the image')
    .option('--layer <layer>', 'look into this layer alone: its number, 1 is the oldest, or digest')
    .option('--verify', 'read layers to their end to check their digests, before the first byte is printed')
    .action((text: string, path: string, flags: CatFlags) => run(text, path, flags, context))
  options.addPlatformOption(command, "which platform's image, out of an index (this machine's by default)")
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray cat alpine:3.20 /etc/os-release', 'one file; the download ends with it'],
    ['dray cat --verify alpine:3.20 /bin/busybox > busybox', 'the same with the digest of its layer checked'],
    ['dray cat --layer 1 alpine:3.20 etc/passwd', 'as it is in the oldest layer'],
  ])
  command.addHelpText(
    'after',
    `Layers are read newest first and no further than to the file, so that a small file of a large image comes at
once. A digest is of a whole layer: what was not read to its end is as trustworthy as the connection. --verify
reads on before it prints; it takes files of up to 64 MiB.
`,
  )
}

async function run(text: string, path: string, flags: CatFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { fileContent } = await import('../../filesystem/read-file.ts')
    const verifiesContent = flags.verify ?? false
    const image = await openImageLayers(location, flags, { session, context, verifiesContent })
    await session.printRaw(fileContent(image, path, { verify: verifiesContent }))
  })
}

import type { Command } from 'commander'
import type { Platform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import { openImageLayers } from '../image-layers.ts'
import { parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface LsFilesFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly layer?: string
  readonly long?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', 'a reference, or oci:DIR[:TAG]')
    .argument('[path]', 'only this, and what is below; symlinks on the way are followed within the image')
    .option('-l, --long', 'show mode, owner, size, time, and the number of the layer that it comes from')
    .option('--layer <layer>', 'what one layer holds, whiteouts too: its number, 1 is the oldest, or digest')
    .action((text: string, path: string | undefined, flags: LsFilesFlags) =>
      run(text, path ?? '', flags, context),
    )
  options.addPlatformOption(command, "which platform's image, out of an index (this machine's by default)")
  options.addFormatOption(command, '{{range .}}{{.Path}} {{end}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray ls-files alpine:3.20', 'all files, a line each; folders end with a slash'],
    ['dray ls-files --long alpine:3.20 /etc', 'what is in a folder, and below'],
    ['dray ls-files --layer 2 ghcr.io/org/app:1.2', 'what a layer adds and takes away'],
    ['dray ls-files --format jsonl alpine:3.20', 'a JSON document a line'],
  ])
}

async function run(text: string, path: string, flags: LsFilesFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { listFiles, listLayer } = await import('../../filesystem/list-files.ts')
    const { filesText } = await import('../files-view.ts')
    const image = await openImageLayers(location, flags, { session, context })
    const [layer] = image.layers
    const isWhole = flags.layer === undefined || layer === undefined
    const files = await (isWhole ? listFiles(image, path) : listLayer(image, layer, path))
    await session.print(files, () => filesText(files, { isLong: flags.long ?? false }))
  })
}

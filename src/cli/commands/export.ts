import type { Command } from 'commander'
import { DrayError } from '../../errors.ts'
import type { Platform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import { openImageLayers } from '../image-layers.ts'
import { parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface ExportFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly layer?: string
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', 'a reference, or oci:DIR[:TAG]')
    .argument('[file]', 'where the tar archive goes; "-" is standard output', '-')
    .option(
      '--layer <layer>',
      'one layer as it is, but not compressed: its number, 1 is the oldest, or digest',
    )
    .action((text: string, file: string, flags: ExportFlags) => run(text, file, flags, context))
  options.addPlatformOption(command, "which platform's image, out of an index (this machine's by default)")
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray export alpine:3.20 alpine.tar', 'all files, as a container sees them'],
    ['dray export alpine:3.20 | tar x -C rootfs', 'unpacked into a folder'],
    ['dray export --layer 1 alpine:3.20 base.tar', 'the oldest layer, whiteouts and all'],
    ['dray export --platform linux/arm64 oci:./layout | tar t', 'of another platform, out of an OCI layout'],
  ])
}

async function run(text: string, file: string, flags: ExportFlags, context: CliContext): Promise<void> {
  const { stdout } = context
  if (file === '-' && stdout.isTerminal) {
    throw new DrayError('USAGE', 'a tar archive is not for a terminal', {
      hint: 'name a file, or pipe it into a program such as "tar t"',
    })
  }
  const location = parseLocation(text)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { exportImage, exportLayer } = await import('../../filesystem/export-image.ts')
    const { writeGathered, writeOutputFile } = await import('../output-file.ts')
    const image = await openImageLayers(location, flags, { session, context, verifiesContent: true })
    const [layer] = image.layers
    const content = flags.layer === undefined || !layer ? exportImage(image) : exportLayer(image, layer)
    await (file === '-' ? writeGathered(content, stdout) : writeOutputFile(file, content))
  })
}

import type { Command } from 'commander'
import { DrayError } from '../../errors.ts'
import { maxConfigBytes } from '../../oci/config.ts'
import { collect } from '../../oci/content.ts'
import type { Platform } from '../../oci/platform.ts'
import { hostPlatform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import { locationText, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface ConfigFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', locationText)
    .action((text: string, flags: ConfigFlags) => run(text, flags, context))
  options.addPlatformOption(
    command,
    "which platform's configuration, out of an index (this machine's by default)",
  )
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray config alpine:3.20', "the configuration of this machine's platform"],
    ['dray config --platform linux/arm64 alpine:3.20', 'of another platform'],
  ])
}

/** Also `dray inspect --config`. */
export async function run(text: string, flags: ConfigFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  const platform = options.onePlatform(flags.platform)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { findImage } = await import('../../transfer/find-image.ts')
    const { store, reference } = await session.openSource(location, options.endFlags(flags))
    const reading = { signal: context.signal }
    const { image } = await findImage(store, reference, { platform, preferred: hostPlatform(), reading })
    if (image.kind !== 'image') {
      throw new DrayError('UNSUPPORTED', `${location.text} has no configuration: it is an ${image.kind}`)
    }
    const { readBlob } = await import('../../transfer/read-blob.ts')
    const content = readBlob(store, image.content.config, reading)
    await session.printRaw(await collect(content, maxConfigBytes, `the configuration of ${location.text}`))
  })
}

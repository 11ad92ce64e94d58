import type { Command } from 'commander'
import type { Platform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import { locationText, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface ManifestFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', locationText)
    .action((text: string, flags: ManifestFlags) => run(text, flags, context))
  options.addPlatformOption(command, "the manifest of this platform's image, out of an index")
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray manifest alpine:3.20', 'the exact bytes, as the digest is computed over them'],
    ['dray manifest --platform linux/amd64 alpine:3.20', 'the manifest behind an index'],
    ['dray manifest alpine:3.20 | sha256sum', 'the digest once more'],
  ])
}

/** Also `dray inspect --raw`. */
export async function run(text: string, flags: ManifestFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  const platform = options.onePlatform(flags.platform)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { store, reference } = await session.openSource(location, options.endFlags(flags))
    const { findImage } = await import('../../transfer/find-image.ts')
    const { bytes } =
      platform === undefined
        ? await store.getManifest(await store.resolve(reference))
        : (await findImage(store, reference, { platform })).image
    await session.printRaw(bytes)
  })
}

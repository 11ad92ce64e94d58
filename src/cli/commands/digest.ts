import type { Command } from 'commander'
import type { ImageSource } from '../../image-store.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { descriptorOf } from '../../oci/manifest.ts'
import type { Platform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import { locationText, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface DigestFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly fullRef?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', locationText)
    .option('--full-ref', 'print repository@digest instead of the digest alone')
    .action((text: string, flags: DigestFlags) => run(text, flags, context))
  options.addPlatformOption(command, "the digest of this platform's image, out of an index")
  options.addFormatOption(command, '{{.Digest}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray digest alpine:3.20', 'one HEAD request, which Docker Hub does not count'],
    ['dray digest --full-ref ghcr.io/org/app:1.2', 'print ghcr.io/org/app@sha256:…'],
    ['dray digest --platform linux/arm64 alpine:3.20', 'the image for one platform'],
  ])
}

/** One HEAD request; the registry is asked for content only where a platform is wanted or the answer holds no digest. */
async function run(text: string, flags: DigestFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  const platform = options.onePlatform(flags.platform)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { store, reference } = await session.openSource(location, options.endFlags(flags))
    const { digest, mediaType, size } =
      platform === undefined ? await store.resolve(reference) : await imageFor(platform, store, reference)
    const document = { reference: location.text, digest, mediaType, size }
    await session.print(document, () => (flags.fullRef ? `${store.name}@${digest}` : digest))
  })
}

async function imageFor(platform: Platform, store: ImageSource, reference: string): Promise<Descriptor> {
  const { findImage } = await import('../../transfer/find-image.ts')
  return descriptorOf((await findImage(store, reference, { platform })).image)
}

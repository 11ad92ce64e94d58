import type { Command } from 'commander'
import type { ImageSource } from '../../image-store.ts'
import { type ImageConfig, maxConfigBytes, parseConfig } from '../../oci/config.ts'
import { collect } from '../../oci/content.ts'
import type { Manifest } from '../../oci/manifest.ts'
import { isConfigType } from '../../oci/media-types.ts'
import { hostPlatform, type Platform } from '../../oci/platform.ts'
import type { CliContext } from '../context.ts'
import { locationText, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'

interface InspectFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly raw?: boolean
  readonly config?: boolean
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', locationText)
    .option('--raw', 'print the manifest as it is, as "dray manifest" does')
    .option('--config', 'print the configuration as it is, as "dray config" does')
    .action((text: string, flags: InspectFlags) => run(text, flags, context))
  options.addPlatformOption(command, "which platform's image, out of an index (this machine's by default)")
  options.addFormatOption(command, '{{.Config.Entrypoint}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray inspect alpine:3.20', 'platforms, configuration and layers'],
    ['dray inspect --platform linux/arm/v7 alpine:3.20', 'of another platform'],
    ['dray inspect --format json alpine:3.20', 'the same as a stable JSON document'],
    ["dray inspect --format '{{.Config.Env}}' alpine:3.20", 'one field of that document'],
    ['dray inspect oci:./layout:1.0', 'an image in an OCI layout'],
    ['docker save app | dray inspect docker-archive:-', 'an image of the local engine'],
  ])
}

async function run(text: string, flags: InspectFlags, context: CliContext): Promise<void> {
  if (flags.raw) return (await import('./manifest.ts')).run(text, flags, context)
  if (flags.config) return (await import('./config.ts')).run(text, flags, context)
  const location = parseLocation(text)
  const platform = options.onePlatform(flags.platform)
  await withSession(new Session(context, flags, { locations: [location] }), async session => {
    const { findImage } = await import('../../transfer/find-image.ts')
    const { inspectionOf } = await import('../inspection.ts')
    const { inspectText } = await import('../inspect-view.ts')
    const { store, reference } = await session.openSource(location, options.endFlags(flags))
    const reading = { signal: context.signal }
    const { root, image } = await findImage(store, reference, {
      platform,
      preferred: hostPlatform(),
      reading,
    })
    const inspection = inspectionOf({
      reference: location.text,
      manifest: root,
      platformManifest: image === root ? undefined : image,
      config: await readConfig(store, image, context.signal),
    })
    const { isTTY, columns } = context.stderr
    const view = { now: new Date(), columns: isTTY ? columns : undefined }
    await session.print(inspection, () => inspectText(inspection, view))
  })
}

/** The configuration of an image; what an artifact has in that place is its own affair. */
async function readConfig(
  store: ImageSource,
  image: Manifest,
  signal: AbortSignal,
): Promise<ImageConfig | undefined> {
  if (image.kind !== 'image') return undefined
  const { config } = image.content
  if (!isConfigType(config.mediaType)) return undefined
  const { readBlob } = await import('../../transfer/read-blob.ts')
  const name = `the configuration of ${store.name}`
  return parseConfig(await collect(readBlob(store, config, { signal }), maxConfigBytes, name), name)
}

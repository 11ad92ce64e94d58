import { DrayError } from '../errors.ts'
import type { ImageSource } from '../image-store.ts'
import { maxConfigBytes, parseConfig } from '../oci/config.ts'
import { collect } from '../oci/content.ts'
import type { ImageManifest, Manifest } from '../oci/manifest.ts'
import { isConfigType } from '../oci/media-types.ts'
import { formatPlatform, matchesPlatform, type Platform } from '../oci/platform.ts'
import { type ManifestReader, maxIndexDepth, tooDeep } from './manifest-reader.ts'
import { choosePlatformStrictly } from './platform-choice.ts'
import { type IndexManifest, listEntries, subsetIndex } from './platform-subset.ts'
import { blobName, type ReadBlobOptions, readBlob } from './read-blob.ts'

export interface SelectImageOptions {
  readonly source: ImageSource
  readonly reader: ManifestReader
  readonly platforms: readonly Platform[]
  /** The platform whose image is taken out of the index; without it the index is made smaller. */
  readonly unpack?: Platform | undefined
  /** How the config of an image is read. */
  readonly reading: ReadBlobOptions
}

/**
 * What of an image is to be copied: a smaller index, the one image of a platform, or the image itself when it is no
 * index and its config does not speak against the platforms.
 * @throws DrayError `NOT_FOUND` when there is nothing for a platform; `USAGE` when it is not clear which image is meant
 */
export async function selectImage(root: Manifest, options: SelectImageOptions): Promise<Manifest> {
  const { source, reader, platforms } = options
  const name = `${source.name}@${root.digest}`
  if (root.kind === 'index') {
    if (options.unpack !== undefined) return await unpackIndex(root, options.unpack, options)
    return await subsetIndex(root, platforms, { reader, name })
  }
  if (root.kind === 'image') await checkConfig(root.content, name, options)
  return root
}

async function unpackIndex(
  root: IndexManifest,
  wanted: Platform,
  { source, reader }: SelectImageOptions,
): Promise<Manifest> {
  let index = root
  for (let depth = 0; depth <= maxIndexDepth; depth++) {
    const name = `${source.name}@${index.digest}`
    const entries = await listEntries(index, reader)
    const manifest = await reader.readEntry(choosePlatformStrictly(entries, wanted, name))
    if (manifest.kind !== 'index') return manifest
    index = manifest
  }
  throw tooDeep(source.name)
}

/** A config that leaves a part of its platform open (artifacts, `FROM scratch` by hand) fits every wish there. */
async function checkConfig(
  { config: descriptor }: ImageManifest,
  name: string,
  { source, platforms, reading }: SelectImageOptions,
): Promise<void> {
  if (!isConfigType(descriptor.mediaType)) return
  const configName = blobName(source, descriptor)
  const bytes = await collect(readBlob(source, descriptor, reading), maxConfigBytes, configName)
  const { os, architecture, variant, 'os.version': version } = parseConfig(bytes, configName)
  if (!os || !architecture) return
  const fits = (wanted: Platform) =>
    matchesPlatform(wanted, {
      os,
      architecture,
      variant: variant ?? wanted.variant,
      'os.version': version ?? wanted['os.version'],
    })
  const missing = platforms.filter(wanted => !fits(wanted))
  if (missing.length === 0) return
  throw new DrayError(
    'NOT_FOUND',
    `${name}: the image is for ${formatPlatform({ os, architecture, variant: variant ?? undefined })}, not for ${missing.map(formatPlatform).join(', ')}`,
  )
}

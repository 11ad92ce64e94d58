import { layersOf } from '../filesystem/image-layers.ts'
import type { ImageSource, TagOrDigest } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { childBlobs, type Manifest } from '../oci/manifest.ts'
import { formatPlatform, type Platform } from '../oci/platform.ts'
import type { ReadBlobOptions } from '../transfer/read-blob.ts'
import { type WorkGroup, withWorkGroup } from '../work-group.ts'
import { type Change, changesOf } from './change.ts'
import { chooseImages, type ImageParts, type OpenEnd, openEnd } from './choose-images.ts'
import { compareFiles, type FileChange } from './diff-files.ts'
import { compareHistories, type HistoryChange } from './diff-history.ts'
import { type ComparedLayer, compareLayers, type LayerBytes, layerBytes } from './diff-layers.ts'
import { configFields, type Fields, manifestFields } from './image-fields.ts'
import { namedEntries } from './index-entries.ts'
import { readFiles } from './read-files.ts'

/** One of two images to compare. */
export interface DiffEnd {
  readonly source: ImageSource
  readonly reference: TagOrDigest
  /** Compare the image for this platform, and not the index that it is in. */
  readonly platform?: Platform | undefined
  /** How blobs are read. */
  readonly reading?: Omit<ReadBlobOptions, 'signal'> | undefined
}

export interface DiffOptions {
  readonly from: DiffEnd
  readonly to: DiffEnd
  /** Compare the filesystems too, for which all layers of both are read. */
  readonly files?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** What was compared at one end. */
export interface ComparedEnd {
  /** What the reference stands for. */
  readonly digest: Digest
  readonly mediaType: string
  /** The image that was compared; `digest` itself unless one was chosen out of an index. */
  readonly imageDigest: Digest
  /** The platform that it was chosen for; null where there was no choice. */
  readonly platform: string | null
}

/** What is not the same in two images. All fields are there where nothing differs too. */
export interface ImageDiff {
  /** True when both are the same to the last byte. */
  readonly identical: boolean
  readonly from: ComparedEnd
  readonly to: ComparedEnd
  /** What two indexes list under a name such as `linux/arm64`, by digest; empty where platforms were asked for. */
  readonly platforms: readonly Change<Digest>[]
  /** Fields of the indexes themselves. */
  readonly index: readonly Change<unknown>[]
  /** Fields of the images' manifests and configurations. */
  readonly fields: readonly Change<unknown>[]
  readonly history: readonly HistoryChange[]
  /** All layers of both; empty where the images are one and the same. */
  readonly layers: readonly ComparedLayer[]
  readonly bytes: LayerBytes
  /** Null where the filesystems were not compared. */
  readonly files: readonly FileChange[] | null
}

/**
 * Compares two images, or an image of each of two indexes: see `chooseImages`. Where both references stand for the same
 * digest nothing else is read.
 * @throws DrayError `NOT_FOUND`, `USAGE` where it is not clear which image is meant, `UNSUPPORTED` where files of something
 * without a filesystem are wanted; what the sources throw
 */
export async function diffImages({ from, to, files = false, signal }: DiffOptions): Promise<ImageDiff> {
  return withWorkGroup({ limit: 2, signal }, async group => {
    const [one, other] = await group.all([
      from.source.resolve(from.reference),
      to.source.resolve(to.reference),
    ])
    if (one.digest === other.digest && platformName(from) === platformName(to))
      return sameImage(one, from, files)
    const ends = await group.all([openEnd(from, one, group.signal), openEnd(to, other, group.signal)])
    const images = await chooseImages(ends, group)
    return compare(ends, images, { group, files })
  })
}

function platformName({ platform }: DiffEnd): string | null {
  return platform === undefined ? null : formatPlatform(platform)
}

function sameImage({ digest, mediaType }: Descriptor, end: DiffEnd, files: boolean): ImageDiff {
  const compared = { digest, mediaType, imageDigest: digest, platform: platformName(end) }
  return { identical: true, from: compared, to: compared, ...nothing, files: files ? [] : null }
}

const nothing = {
  platforms: [],
  index: [],
  fields: [],
  history: [],
  layers: [],
  bytes: { shared: 0, added: 0, removed: 0 },
}

type Pair<Value> = readonly [Value, Value]

async function compare(
  ends: Pair<OpenEnd>,
  images: Pair<ImageParts>,
  { group, files }: { readonly group: WorkGroup; readonly files: boolean },
): Promise<ImageDiff> {
  const [from, to] = ends
  const [one, other] = images
  const isSameImage = one.image.digest === other.image.digest
  // Where platforms were asked for, the indexes around them do not count.
  const isOfIndexes = from.wanted === undefined && to.wanted === undefined
  const compared = { from: comparedEnd(from, one), to: comparedEnd(to, other) }
  const indexes = isOfIndexes ? compareIndexes(from, to) : { platforms: [], index: [] }
  if (isSameImage) {
    const identical = !isOfIndexes || from.root.digest === to.root.digest
    return { ...nothing, identical, ...compared, ...indexes, files: files ? [] : null }
  }
  const layers = compareLayers(layersIn(one.image), layersIn(other.image))
  const isSameFilesystem = layers.every(layer => layer.kind === 'same' && layer.from === layer.to)
  const readBoth = () => group.all([filesOf(from, one), filesOf(to, other)])
  return {
    identical: false,
    ...compared,
    ...indexes,
    fields: changesOf(fieldsOf(one), fieldsOf(other)),
    history: compareHistories(one.config?.history ?? [], other.config?.history ?? []),
    layers,
    bytes: layerBytes(layers),
    files: !files ? null : isSameFilesystem ? [] : compareFiles(...(await readBoth())),
  }
}

function comparedEnd({ root }: OpenEnd, { image, platform }: ImageParts): ComparedEnd {
  return { digest: root.digest, mediaType: root.mediaType, imageDigest: image.digest, platform }
}

function compareIndexes(from: OpenEnd, to: OpenEnd): Pick<ImageDiff, 'platforms' | 'index'> {
  if (from.root.kind !== 'index' && to.root.kind !== 'index') return { platforms: [], index: [] }
  const fields = ({ root }: OpenEnd): Fields => (root.kind === 'index' ? manifestFields(root) : new Map())
  return {
    platforms: changesOf(namedEntries(from.entries), namedEntries(to.entries)),
    index: changesOf(fields(from), fields(to)),
  }
}

function fieldsOf({ image, config }: ImageParts): Fields {
  return new Map([...manifestFields(image), ...(config === undefined ? [] : configFields(config))])
}

function layersIn(image: Manifest): readonly Descriptor[] {
  return image.kind === 'image' ? image.content.layers : childBlobs(image)
}

function filesOf({ source, reading }: OpenEnd, { image }: ImageParts) {
  return readFiles(layersOf(source, image, reading))
}

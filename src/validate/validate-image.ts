import { DrayError } from '../errors.ts'
import type { TagOrDigest } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { formatPlatform, matchesPlatform, type Platform } from '../oci/platform.ts'
import type { OnTransferEvent } from '../transfer/events.ts'
import { blobName, type ReadBlobOptions } from '../transfer/read-blob.ts'
import { withWorkGroup } from '../work-group.ts'
import { byDigest, isForeign, listBlobs } from './blob-uses.ts'
import { platformOf } from './check-config.ts'
import { checkManifest, checkSubjects } from './check-tree.ts'
import { type BlobFinder, findBlobs } from './find-blobs.ts'
import { type Finding, inOrder, type Report } from './finding.ts'
import { type Configs, configOf, type ReadBlobsOptions, readConfigs, readLayers } from './read-blobs.ts'
import { type ListedManifest, readTree } from './read-tree.ts'

export interface ValidateOptions {
  readonly source: BlobFinder
  readonly reference: TagOrDigest
  /** Only the images for these platforms; all when absent or empty. */
  readonly platforms?: readonly Platform[] | undefined
  /** Check the manifests, and that the blobs are there in the sizes that they should have; read no blob. */
  readonly fast?: boolean | undefined
  /** How many requests and blobs at a time; 8 unless told. */
  readonly jobs?: number | undefined
  /** How many bytes a layer may unpack to; 256 GiB unless told. */
  readonly maxLayerBytes?: number | undefined
  /** How blobs are read. */
  readonly reading?: Omit<ReadBlobOptions, 'signal'> | undefined
  readonly onEvent?: OnTransferEvent | undefined
  readonly signal?: AbortSignal | undefined
}

/** What was found out about an image. */
export interface Validation {
  /** What the reference stands for. */
  readonly digest: Digest
  readonly mediaType: string
  /** True when no finding is an error. */
  readonly valid: boolean
  readonly errors: number
  readonly warnings: number
  /** In the order of the image. */
  readonly findings: readonly Finding[]
  readonly checked: Checked
}

/** What was looked at, each digest counted once. */
export interface Checked {
  readonly manifests: number
  /** Configs and layers. */
  readonly blobs: number
  /** Layers that are elsewhere, and were not looked for. */
  readonly foreign: number
  /** Bytes of manifests and blobs that were read. */
  readonly bytes: number
}

/**
 * Checks an image with all its platforms from its tag to the last entry of its layers, and goes on after a fault: digests
 * and sizes, media types, configurations against manifests and indexes, diff ids, compression and archives. Each blob is
 * read once and never held.
 * @throws DrayError `NOT_FOUND` when the image itself or one of the platforms is missing; `UNSUPPORTED` for an image of an
 * old form; `NETWORK`, `UNAUTHORIZED` and the like where the source could not be asked; `ABORTED`
 */
export async function validateImage(options: ValidateOptions): Promise<Validation> {
  const { source, reference, platforms = [], jobs = 8, maxLayerBytes, signal } = options
  const findings: Finding[] = []
  const report: Report = (place, issues) => {
    for (const issue of issues) findings.push({ ...issue, ...place })
  }
  let bytes = 0
  const onEvent: OnTransferEvent = event => {
    if (event.type === 'blob-progress') bytes += event.bytes
    options.onEvent?.(event)
  }
  return withWorkGroup({ limit: jobs, signal }, async group => {
    const reading = { ...options.reading, signal: group.signal }
    const context = { source, group, report, reading, maxLayerBytes, onEvent }
    const root = await source.resolve(reference)
    const manifests = await readTree(root, { ...context, platforms })
    for (const listed of manifests) {
      bytes += listed.manifest.bytes.length
      checkManifest(listed, report)
    }
    await checkSubjects(manifests, context)
    if (options.fast) await findBlobs(manifests, context)
    else await readBlobs(manifests, context, options)
    const { here, elsewhere } = blobsOf(manifests)
    const checked = { manifests: manifests.length, blobs: here.length, foreign: elsewhere.length, bytes }
    return { ...summary(root, findings), checked }
  })
}

async function readBlobs(
  manifests: readonly ListedManifest[],
  context: ReadBlobsOptions,
  options: ValidateOptions,
): Promise<void> {
  const blobs = blobsOf(manifests).here.map(([use]) => use.descriptor)
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0)
  context.onEvent({ type: 'planned', manifests: manifests.length, blobs: blobs.length, bytes })
  const configs = await readConfigs(manifests, context)
  checkPlatform(manifests, configs, options)
  await readLayers(manifests, configs, context)
}

function summary(
  { digest, mediaType }: Descriptor,
  findings: readonly Finding[],
): Omit<Validation, 'checked'> {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const warnings = findings.length - errors
  return { digest, mediaType, valid: errors === 0, errors, warnings, findings: inOrder(findings) }
}

function blobsOf(manifests: readonly ListedManifest[]) {
  const uses = manifests.flatMap(listBlobs)
  const here = byDigest(uses.filter(use => !isForeign(use)))
  const digests = new Set(here.map(([use]) => use.descriptor.digest))
  const elsewhere = byDigest(uses.filter(isForeign)).filter(([use]) => !digests.has(use.descriptor.digest))
  return { here, elsewhere }
}

/** An image without an index tells its platform in its configuration, or leaves it open. */
function checkPlatform(
  manifests: readonly ListedManifest[],
  configs: Configs,
  { source, platforms = [] }: ValidateOptions,
): void {
  const [root] = manifests
  const config = root && configOf(root.manifest, configs)
  const own = config && platformOf(config)
  if (root?.entries[0].place.path !== '.' || own === undefined) return
  const absent = platforms.filter(wanted => !matchesPlatform(wanted, { ...wanted, ...own }))
  if (absent.length === 0) return
  const name = blobName(source, root.entries[0].descriptor)
  throw new DrayError(
    'NOT_FOUND',
    `${name}: the image is for ${formatPlatform(own)}, not for ${absent.map(formatPlatform).join(', ')}`,
  )
}

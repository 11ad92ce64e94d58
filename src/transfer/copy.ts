import type { ImageDestination } from '../image-store.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { descriptorOf, type Manifest } from '../oci/manifest.ts'
import { type WorkGroup, withWorkGroup } from '../work-group.ts'
import { copyBlobs } from './copy-blobs.ts'
import { type CopyOptions, type CopySettings, copySettings } from './copy-options.ts'
import { type CopyRecord, type CopyResult, copyResult, type ManifestOutcome } from './copy-result.ts'
import { checkResult, checkRoot } from './expected-digest.ts'
import { ManifestReader } from './manifest-reader.ts'
import { type CopyPlan, planCopy } from './plan.ts'
import { offeredPlatforms } from './platform-choice.ts'

/**
 * Copies an image, or all images of an index, with everything below, byte for byte.
 *
 * Nothing is read when the tags are right already, and nothing is sent that is there already. Blobs come first, the
 * biggest in front, then manifests from the bottom up, the tags last: a tag never stands for something incomplete.
 * When this settles, nothing runs any more.
 * @throws DrayError of what failed first; `ABORTED` when the caller's signal ended it
 */
export async function copyImage(options: CopyOptions): Promise<CopyResult> {
  const settings = copySettings(options)
  const { limit, signal, now } = settings
  const startMs = now()
  const reader = new ManifestReader(settings.source)
  const record = await withWorkGroup({ limit, signal }, group => copy({ ...settings, reader, group }))
  return copyResult(record, settings, now() - startMs)
}

/** One copy under way. */
interface Job extends CopySettings {
  readonly reader: ManifestReader
  readonly group: WorkGroup
}

async function copy(job: Job): Promise<CopyRecord> {
  const { destination, tags, group, force } = job
  const [root, found] = await group.all([findRoot(job), group.map(tags, tag => destination.find(tag))])
  await checkRoot(root, job)
  const newTags = ({ digest }: Descriptor) => tags.filter((_, at) => force || found[at]?.digest !== digest)
  const isTagged = (image: Descriptor) => tags.length > 0 && newTags(image).length === 0
  if (job.platforms.length === 0) {
    await checkResult(root, job)
    if (isTagged(root)) return { root, image: root, ...nothingDone(root) }
  }
  const manifest = await readImage(root, job)
  const image = descriptorOf(manifest)
  const platforms = manifest.kind === 'index' ? offeredPlatforms(manifest.content.manifests) : undefined
  const isComplete = newTags(image).length === 0
  // A registry and a layout may hold an index without all that it lists; a tag for it is a promise that all is there.
  const isWorthAsking = isComplete || manifest.kind !== 'index'
  const isThere = !force && isWorthAsking && (isTagged(image) || (await isAt(destination, image)))
  if (isThere && isComplete) return { root, image, platforms, ...nothingDone(image) }
  const plan = isThere ? nothingBelow : await planCopy(manifest, job)
  const isNew = !force && plan.present.length === 0 && found.every(each => each === undefined)
  const top = { manifest, tags: newTags(image) }
  return { root, image, platforms, ...(await carryOut(plan, top, { ...job, isNew })) }
}

/** What `from` stands for; with its content at once where that costs nothing more. */
async function findRoot({ source, from, reader }: Job): Promise<Descriptor> {
  if (source.readManifest === undefined || source.metersReads) return await source.resolve(from)
  const manifest = await source.readManifest(from)
  reader.add(manifest)
  return descriptorOf(manifest)
}

async function isAt(destination: ImageDestination, { digest }: Descriptor): Promise<boolean> {
  return (await destination.find(digest)) !== undefined
}

async function readImage(root: Descriptor, job: Job): Promise<Manifest> {
  const manifest = await job.reader.read(root)
  if (job.platforms.length === 0) return manifest
  const reading = { ...job.reading, signal: job.group.signal }
  const { selectImage } = await import('./select-image.ts')
  const image = await selectImage(manifest, { ...job, reading })
  await checkResult(descriptorOf(image), job)
  return image
}

/** A manifest to be written: with tags, though they be none, as an image of its own; without as a part of one. */
interface ManifestWrite {
  readonly manifest: Manifest
  readonly tags?: readonly string[]
}

async function carryOut(
  plan: CopyPlan,
  top: ManifestWrite,
  job: Job & { readonly isNew: boolean },
): Promise<Pick<CopyRecord, 'blobs' | 'manifests'>> {
  const { group, onEvent } = job
  onEvent({
    type: 'planned',
    manifests: plan.present.length + plan.steps.flat().length + 1,
    blobs: plan.blobs.length,
    bytes: plan.blobs.reduce((sum, blob) => sum + blob.size, 0),
  })
  const manifests: ManifestOutcome[] = plan.present.map(present)
  for (const outcome of manifests) report(outcome, job)
  const blobs = await copyBlobs(plan.blobs, job)
  for (const step of plan.steps) {
    manifests.push(...(await group.map(step, manifest => put({ manifest }, job))))
  }
  manifests.push(await put(top, job))
  return { blobs, manifests }
}

async function put({ manifest, tags }: ManifestWrite, job: Job): Promise<ManifestOutcome> {
  if (!job.dryRun) await job.destination.putManifest(manifest, tags)
  const outcome: ManifestOutcome = { descriptor: descriptorOf(manifest), how: 'copied', tags: tags ?? [] }
  report(outcome, job)
  return outcome
}

function report(outcome: ManifestOutcome, { dryRun, onEvent }: Job): void {
  if (!dryRun) onEvent({ type: 'manifest-done', ...outcome })
}

const nothingBelow: CopyPlan = { steps: [], present: [], blobs: [] }

function nothingDone(image: Descriptor): Pick<CopyRecord, 'blobs' | 'manifests'> {
  return { blobs: [], manifests: [present(image)] }
}

function present(descriptor: Descriptor): ManifestOutcome {
  return { descriptor, how: 'present', tags: [] }
}

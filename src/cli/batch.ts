import type { CopiedImage } from '../bundle/copy-with-referrers.ts'
import { DrayError, isDrayError } from '../errors.ts'
import { type CopyDocument, copyDocument, copyRemarks, copyText } from './copy-view.ts'
import type { OutputFormat } from './output.ts'
import type { Session } from './session.ts'

/** What became of many images. */
export interface Batch {
  readonly done: readonly BatchedImage[]
  readonly failed: readonly BatchFailure[]
}

/** An image that was moved, and what it was called. */
export interface BatchedImage extends CopiedImage {
  readonly name: string
}

/** An image that was not. */
export interface BatchFailure {
  readonly name: string
  readonly error: DrayError
}

/** An image that is to be moved. */
export interface BatchItem {
  readonly name: string
  readonly move: () => Promise<CopiedImage>
}

/**
 * Moves images one after the other. One that fails does not stop the others, unless it is alone or the user has ended it.
 * @throws DrayError `ABORTED`, or what failed where there is one image only
 */
export async function runBatch(items: readonly BatchItem[], signal: AbortSignal): Promise<Batch> {
  const done: BatchedImage[] = []
  const failed: BatchFailure[] = []
  for (const { name, move } of items) {
    try {
      done.push({ name, ...(await move()) })
    } catch (error) {
      if (!isDrayError(error) || items.length === 1 || signal.aborted) throw error
      failed.push({ name, error })
    }
  }
  return { done, failed }
}

/** What became of many images, as `--format json` prints it. Of a copy all fields of `dray copy` are there. */
export interface BatchDocument {
  readonly dryRun: boolean
  readonly images: readonly (CopyDocument & {
    /** What was asked for. */
    readonly name: string
    readonly referrers: readonly CopyDocument[]
  })[]
  readonly failures: readonly {
    readonly name: string
    readonly code: string
    readonly message: string
    readonly hint: string | null
  }[]
}

/** What the result is told with. */
export interface ReportOptions {
  readonly session: Session
  readonly flags: { readonly dryRun?: boolean; readonly format?: OutputFormat }
  /** Begins the document: where images came from or went to. */
  readonly place: Readonly<Record<string, string>>
}

/**
 * Tells what became of a batch, each failure as an error alone is told.
 * @throws DrayError `PARTIAL` where something failed
 */
export async function report(batch: Batch, { session, flags, place }: ReportOptions): Promise<void> {
  const { done, failed } = batch
  for (const remark of remarks(done)) session.say(remark)
  const json = flags.format?.kind === 'json' || flags.format?.kind === 'jsonl'
  for (const { error } of failed) session.complain(error, { json })
  const document = { ...place, ...batchDocument(batch, flags.dryRun ?? false) }
  const copies = done.flatMap(({ image, referrers }) => [image, ...referrers])
  await session.print(document, () => copies.map(copyText).join(''))
  if (failed.length === 0) return
  const text = `${failed.length} of ${done.length + failed.length} images failed`
  throw new DrayError('PARTIAL', `${text}: ${failed.map(({ name }) => name).join(', ')}`)
}

function batchDocument({ done, failed }: Batch, dryRun: boolean): BatchDocument {
  return {
    dryRun,
    images: done.map(({ name, image, referrers }) => ({
      name,
      ...copyDocument(image),
      referrers: referrers.map(copyDocument),
    })),
    failures: failed.map(({ name, error: { code, message, hint = null } }) => ({
      name,
      code,
      message,
      hint,
    })),
  }
}

function remarks(done: readonly BatchedImage[]): string[] {
  const ofImage = ({ name, image, referrers }: BatchedImage) =>
    [
      ...copyRemarks(image),
      ...(referrers.length === 0 ? [] : [`with ${referrers.length} that refer to it`]),
    ].map(remark => `${name}: ${remark}`)
  return done.flatMap(ofImage)
}

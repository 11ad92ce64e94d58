import { rm } from 'node:fs/promises'
import { isDrayError } from '../errors.ts'
import { onDisk } from '../files/io-error.ts'
import { pourFile } from '../files/pour-file.ts'
import { flow } from '../flow.ts'
import type { OpenContent } from '../image-store.ts'
import { BlobWriter, type ExpectedBlob } from './blob-writer.ts'
import type { Claim, PartialFolder } from './partial-folder.ts'

/** A large blob, what it is called in messages, and where it goes. */
export interface ResumableBlob extends ExpectedBlob {
  readonly size: number
  readonly name: string
  readonly folder: PartialFolder
  /** The blob's file. */
  readonly path: string
  /** Whether the blob is in its place. */
  readonly isThere: () => Promise<boolean>
}

/**
 * Writes a blob by way of a partial file, which stays when the writing is broken off. What an earlier writer left is
 * hashed and only the rest is asked for; when that turns out to be damaged, as by a crash, all is asked for.
 * @throws DrayError `INTEGRITY` for other content, `ABORTED`, `IO`, and what the content throws
 */
export async function writeResumably(blob: ResumableBlob, open: OpenContent): Promise<void> {
  const { folder, digest } = blob
  try {
    const isWritten = await writeOnce(await folder.claim(digest), blob, open)
    if (!isWritten) await writeOnce({ part: await folder.begin(digest) }, blob, open)
    await folder.clear(digest)
  } finally {
    await folder.removeEmpty()
  }
}

/** False when it began with a part that may have been the wrong one. */
async function writeOnce(claim: Claim, blob: ResumableBlob, open: OpenContent): Promise<boolean> {
  await using part = claim.part
  const writer = new BlobWriter(part, blob, blob.name)
  await recall(claim, writer, blob.size)
  const start = writer.bytes
  try {
    if (start < blob.size) await writer.append(await open(start))
  } catch (error) {
    // To come back to a part to which the source has too much would end in the same way each time.
    if (isDrayError(error, 'INTEGRITY')) await part.discard()
    throw error
  }
  if (writer.isOther()) {
    await part.discard()
    if (start > 0) return false
  }
  writer.check()
  await part.publish(blob.path, blob.isThere)
  return true
}

/** Brings the writer to where the earlier one was. */
async function recall({ part, earlier }: Claim, writer: BlobWriter, size: number): Promise<void> {
  if (earlier === undefined) return writer.readBack()
  const { file, path } = earlier
  try {
    await writer.append(flow(take => pourFile(file, take, { path, end: size - 1 })))
    await onDisk(path, rm(path, { force: true }))
  } catch (error) {
    // The earlier one is still there and has more.
    await part.discard()
    throw error
  } finally {
    await file.close()
  }
}

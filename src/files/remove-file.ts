import { unlink } from 'node:fs/promises'
import { ifThere, onDisk } from './io-error.ts'

/** Removes a file; one that is not there is no error. @throws DrayError `IO`, also for a folder */
export async function removeFile(path: string): Promise<void> {
  await ifThere(onDisk(path, unlink(path)))
}

import { join } from 'node:path'
import * as z from 'zod/mini'
import { DrayError, quote } from '../errors.ts'
import { ifThere } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'

const version = '1.0.0'
const layoutFileSchema = z.looseObject({ imageLayoutVersion: z.string() })

/** The largest oci-layout file that is read, in bytes. */
export const maxLayoutFileBytes = 64 * 1024

/** The content of an oci-layout file. */
export const layoutFileText = JSON.stringify({ imageLayoutVersion: version })

/**
 * True when the folder is a layout that can be read, false when nothing says that it is one
 * (image-spec v1.1, image-layout.md#oci-layout-file).
 * @throws DrayError `UNSUPPORTED` for another version, `INTEGRITY` for a malformed oci-layout file, `IO`
 */
export async function isLayout(dir: string): Promise<boolean> {
  const path = join(dir, 'oci-layout')
  const bytes = await ifThere(readBounded(path, maxLayoutFileBytes))
  if (bytes === undefined) return false
  checkLayoutFile(bytes, path)
  return true
}

/** Marks the folder as a layout. */
export async function writeLayoutFile(dir: string): Promise<void> {
  await replaceFile(join(dir, 'oci-layout'), layoutFileText)
}

/**
 * @param path what the file is called in messages
 * @throws DrayError `UNSUPPORTED` for another version, `INTEGRITY` for a malformed oci-layout file
 */
export function checkLayoutFile(bytes: Buffer, path: string): void {
  const found = versionIn(bytes, path)
  if (found === version) return
  throw new DrayError(
    'UNSUPPORTED',
    `${path}: layout version ${quote(found)} is not supported (${version} is)`,
  )
}

function versionIn(bytes: Buffer, path: string): string {
  try {
    return layoutFileSchema.parse(JSON.parse(bytes.toString('utf8'))).imageLayoutVersion
  } catch (cause) {
    throw new DrayError('INTEGRITY', `${path}: does not say its imageLayoutVersion`, { cause })
  }
}

import { join } from 'node:path'
import * as z from 'zod/mini'
import { DrayError } from '../errors.ts'
import { ifThere } from '../files/io-error.ts'
import { readBounded } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'

const version = '1.0.0'
const maxLayoutFileBytes = 64 * 1024
const layoutFileSchema = z.looseObject({ imageLayoutVersion: z.string() })

/**
 * True when the folder is a layout that can be read, false when nothing says that it is one
 * (image-spec v1.1, image-layout.md#oci-layout-file).
 * @throws DrayError `UNSUPPORTED` for another version, `INTEGRITY` for a malformed oci-layout file, `IO`
 */
export async function isLayout(dir: string): Promise<boolean> {
  const path = join(dir, 'oci-layout')
  const bytes = await ifThere(readBounded(path, maxLayoutFileBytes))
  if (bytes === undefined) return false
  const found = versionIn(bytes, path)
  if (found === version) return true
  throw new DrayError('UNSUPPORTED', `${path}: layout version "${found}" is not supported (${version} is)`)
}

/** Marks the folder as a layout. */
export async function writeLayoutFile(dir: string): Promise<void> {
  await replaceFile(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: version }))
}

function versionIn(bytes: Buffer, path: string): string {
  try {
    return layoutFileSchema.parse(JSON.parse(bytes.toString('utf8'))).imageLayoutVersion
  } catch (cause) {
    throw new DrayError('INTEGRITY', `${path}: does not say its imageLayoutVersion`, { cause })
  }
}

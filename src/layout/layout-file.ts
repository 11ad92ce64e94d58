import { join } from 'node:path'
import { z } from 'zod/mini'
import { DrayError, isDrayError } from '../errors.ts'
import { readBounded, replaceFile } from './file.ts'
import { onDisk } from './io-error.ts'

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
  let bytes: Buffer
  try {
    bytes = await readBounded(path, maxLayoutFileBytes)
  } catch (error) {
    if (isDrayError(error, 'NOT_FOUND')) return false
    throw error
  }
  const found = versionIn(bytes, path)
  if (found === version) return true
  throw new DrayError('UNSUPPORTED', `${path}: layout version "${found}" is not supported (${version} is)`)
}

/** Marks the folder as a layout. */
export async function writeLayoutFile(dir: string): Promise<void> {
  const path = join(dir, 'oci-layout')
  const text = JSON.stringify({ imageLayoutVersion: version })
  await replaceFile(path, file => onDisk(path, file.writeFile(text)))
}

function versionIn(bytes: Buffer, path: string): string {
  try {
    return layoutFileSchema.parse(JSON.parse(bytes.toString('utf8'))).imageLayoutVersion
  } catch (cause) {
    throw new DrayError('INTEGRITY', `${path}: does not say its imageLayoutVersion`, { cause })
  }
}

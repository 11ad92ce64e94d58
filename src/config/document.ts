import { join, resolve } from 'node:path'
import type * as z from 'zod/mini'
import { DrayError } from '../errors.ts'

/**
 * Reads a YAML document that a schema describes; an empty one is an empty map.
 * @throws DrayError `USAGE` that names the file, the line and the key, and no value, which may be a secret
 */
export async function parseDocument<Schema extends z.ZodMiniType>(
  text: string,
  file: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const { parseYaml } = await import('./yaml.ts')
  const { value, lineOf } = await parseYaml(text, file)
  const result = schema.safeParse(value ?? {})
  if (result.success) return result.data
  const { firstFault, formatPath } = await import('./faults.ts')
  const { path, what } = firstFault(result.error)
  const name = path.length === 0 ? '' : `${formatPath(path)}: `
  throw new DrayError('USAGE', `${file}, line ${lineOf(path)}: ${name}${what}`)
}

/** What paths in a configuration file start from. */
export interface PathBase {
  /** Of the file itself. */
  readonly folder: string
  readonly homeDir: string
}

/** A path of a configuration file, made absolute; `~/` is the user's own folder. */
export function resolvePath(path: string, { folder, homeDir }: PathBase): string {
  return /^~[/\\]/.test(path) ? join(homeDir, path.slice(2)) : resolve(folder, path)
}

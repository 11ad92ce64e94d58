import { toJSONSchema } from 'zod/v4/core'
import { serveSchema } from './config-schema.ts'

/**
 * The JSON Schema (draft 7, as editors know it) of the file that says how a folder is served. The command line is built without
 * the maker of such schemas.
 */
export function serveConfigSchema(): object {
  const schema = toJSONSchema(serveSchema, { io: 'input', target: 'draft-7' })
  return { title: 'configuration of dray serve', ...schema }
}

import * as z from 'zod/mini'
import { documentSchema } from './schema.ts'

/** The JSON Schema of the configuration file, for editors. The command line starts without the makers of such schemas. */
export function configSchema(): object {
  return { title: 'configuration of dray', ...z.toJSONSchema(documentSchema, { io: 'input' }) }
}

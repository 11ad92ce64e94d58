import * as z from 'zod/mini'
import { DrayError, quote } from '../errors.ts'

/** Real documents nest six deep. What walks a document later must not run out of stack. */
const deepest = 1000

/**
 * Reads JSON as RFC 8259 has it: UTF-8 without a byte order mark. Of two equal keys the last counts, as in Go's readers.
 * `name` begins the messages: `alpine:3: the manifest`.
 * @throws DrayError `INTEGRITY`
 */
export function parseJson(bytes: Uint8Array, name: string): unknown {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw new DrayError('INTEGRITY', `${name} is not JSON in UTF-8`, { cause })
  }
  if (nestsTooDeep(document)) {
    throw new DrayError('INTEGRITY', `${name} is nested deeper than ${deepest} levels`)
  }
  return document
}

/**
 * The document as the schema's type.
 * @throws DrayError `INTEGRITY` that says where it is malformed
 */
export function checkShape<Schema extends z.ZodMiniType>(
  schema: Schema,
  document: unknown,
  name: string,
): z.infer<Schema> {
  const result = schema.safeParse(document)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue?.path.length ? ` at ${quote(issue.path.map(String).join('.'))}` : ''
  const why = issue?.code === 'invalid_type' ? `expected ${issue.expected}` : issue?.message
  throw new DrayError('INTEGRITY', `${name} is malformed${where}: ${why}`)
}

/** A field that may be missing or null, which is how Go writes a list or map that was never filled. */
export function absentOr<Schema extends z.ZodMiniType>(schema: Schema) {
  return z.optional(
    z.pipe(
      z.nullable(schema),
      z.transform((value: z.output<Schema> | null) => value ?? undefined),
    ),
  )
}

/** A field that has a value of its own when it is missing or null. */
export function defaultTo<Schema extends z.ZodMiniType>(schema: Schema, fallback: () => z.output<Schema>) {
  return z.pipe(
    z.optional(z.nullable(schema)),
    z.transform((given: z.output<Schema> | null | undefined) => given ?? fallback()),
  )
}

function nestsTooDeep(document: unknown): boolean {
  let level = [document]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > deepest) return true
    level = level.flatMap(value => (typeof value === 'object' && value !== null ? Object.values(value) : []))
  }
  return false
}

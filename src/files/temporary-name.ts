import { randomUUID } from 'node:crypto'
import { join } from 'node:path'

/** The name of a file that is not in its place yet, or that one who was killed has left. */
export const temporaryName = /^\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/

/** A path for such a file, which nobody else has. */
export function temporaryPath(folder: string): string {
  return join(folder, `.${randomUUID()}.tmp`)
}

import { DrayError } from '../errors.ts'
import type { TagOrDigest } from '../image-store.ts'
import { isDigest } from '../oci/digest.ts'

export interface WouldTakeAlongOptions {
  /** False where an image to throw away would not help: it could not be deleted either. */
  readonly viaDummy?: boolean
}

/** Says which tags would go with an image. */
export function wouldTakeAlong(
  repository: { readonly name: string },
  reference: TagOrDigest,
  siblings: readonly string[],
  { viaDummy = true }: WouldTakeAlongOptions = {},
): DrayError {
  const shown = siblings.slice(0, 10).join(', ')
  const list = siblings.length > 10 ? `${shown} and ${siblings.length - 10} more` : shown
  const name = `${repository.name}${isDigest(reference) ? '@' : ':'}${reference}`
  const why = isDigest(reference)
    ? 'these tags stand for it'
    : 'this registry cannot delete a tag alone, and the same image has the tags'
  const orAlone = ', or only this one with --via-dummy, which moves it to an image to throw away'
  return new DrayError('UNSUPPORTED', `${name} is not deleted: ${why}: ${list}`, {
    hint: `delete those tags too with --force${viaDummy && !isDigest(reference) ? orAlone : ''}`,
  })
}

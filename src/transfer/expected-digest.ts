import { DrayError } from '../errors.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, digestOf, isDigest } from '../oci/digest.ts'
import type { CopyOptions } from './copy-options.ts'
import type { ManifestReader } from './manifest-reader.ts'

interface Expectations
  extends Pick<CopyOptions, 'source' | 'from' | 'destination' | 'expectedDigest' | 'expectedResult'> {
  readonly reader: ManifestReader
}

/**
 * The root must have the digest that was asked for, as `from` or beside its tag.
 * @throws DrayError `INTEGRITY`
 */
export async function checkRoot(root: Descriptor, job: Expectations): Promise<void> {
  const { from, source, expectedDigest } = job
  const digest = await otherDigest(root, expectedDigest ?? (isDigest(from) ? from : undefined), job)
  if (digest === undefined) return
  const name = `${source.name}${isDigest(from) ? '@' : ':'}${from}`
  throw new DrayError('INTEGRITY', `${name} is ${digest}, not ${expectedDigest ?? from}`, {
    hint: isDigest(from) ? undefined : 'the tag has moved; leave it out to copy what the digest stands for',
  })
}

/**
 * What will be at the destination must have the digest that is wanted there.
 * @throws DrayError `INTEGRITY`
 */
export async function checkResult(image: Descriptor, job: Expectations): Promise<void> {
  const { expectedResult, destination } = job
  const digest = await otherDigest(image, expectedResult, job)
  if (digest === undefined) return
  throw new DrayError('INTEGRITY', `${destination.name}@${expectedResult}: the image to copy is ${digest}`)
}

/** The digest of a manifest in the algorithm of the one expected, when it is another one. */
async function otherDigest(
  descriptor: Descriptor,
  expected: Digest | undefined,
  { reader }: Expectations,
): Promise<Digest | undefined> {
  if (expected === undefined || expected === descriptor.digest) return undefined
  const algorithm = algorithmOf(expected)
  if (algorithm === algorithmOf(descriptor.digest)) return descriptor.digest
  const other = digestOf((await reader.read(descriptor)).bytes, algorithm)
  return other === expected ? undefined : other
}

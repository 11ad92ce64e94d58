import { type Digest, hexOf } from '../oci/digest.ts'

/** The first digits of a digest without its algorithm: enough for people to tell blobs apart, not to ask for one. */
export function shortDigest(digest: Digest, length = 12): string {
  return hexOf(digest).slice(0, length)
}

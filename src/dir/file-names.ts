import { type Digest, hexOf } from '../oci/digest.ts'

/** The file that holds the image's manifest, or its index. */
export const manifestName = 'manifest.json'

/** The file that says what the folder is. */
export const versionName = 'version'

/** The file of a manifest that an index lists. */
export function childName(digest: Digest): string {
  return `${hexOf(digest)}.manifest.json`
}

/** The file of a blob. The algorithm is not in it; digests of two algorithms differ in their length. */
export function blobName(digest: Digest): string {
  return hexOf(digest)
}

/** True for a signature of the image itself. */
export function isSignature(name: string): boolean {
  return /^signature-\d+$/.test(name)
}

/** The file of the manifest that a signature is of, which an index lists; undefined for what is no such signature. */
export function signedChild(name: string): string | undefined {
  const [, hex] = /^([0-9a-f]+)\.signature-\d+$/.exec(name) ?? []
  return hex && `${hex}.manifest.json`
}

/** True for what belongs to a manifest or is one: blobs, manifests that an index lists, and their signatures. */
export function isContent(name: string): boolean {
  return /^(?:[0-9a-f]{64}|[0-9a-f]{128})(?:\.manifest\.json|\.signature-\d+)?$/.test(name)
}

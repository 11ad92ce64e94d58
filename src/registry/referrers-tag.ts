import { DrayError, isDrayError } from '../errors.ts'
import { withHeaders } from '../http/message.ts'
import { retryDelayMs } from '../http/retry.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { type ImageIndex, type Manifest, referrerOf } from '../oci/manifest.ts'
import { mediaTypes } from '../oci/media-types.ts'
import { nameOf, type RepositoryContext, repositoryRequest } from './context.ts'
import { deleteManifest, fetchManifest, fetchManifestState } from './manifests.ts'
import { expectStatus } from './registry-error.ts'

/**
 * What is listed in the tag that stands for a manifest's referrers at a registry without referrers (distribution-spec v1.1,
 * "Referrers Tag Schema").
 * @throws DrayError `INTEGRITY` where the tag stands for something else
 */
export async function listByTag(context: RepositoryContext, subject: Digest): Promise<readonly Descriptor[]> {
  return (await readTag(context, tagOf(subject)))?.index.manifests ?? []
}

/**
 * Lists a manifest in the tag of its subject's referrers ("Pushing Manifests with Subject"). Nothing is done for one
 * without a subject, or one that is listed already.
 * @throws DrayError `INTEGRITY` where the tag stands for something else, `REGISTRY` where others undo it again and again
 */
export async function addReferrer(context: RepositoryContext, manifest: Manifest): Promise<void> {
  await changeTag(context, manifest, listed =>
    listed.some(({ digest }) => digest === manifest.digest) ? listed : [...listed, referrerOf(manifest)],
  )
}

/**
 * Deletes a manifest by its digest and takes it off that list ("Deleting Manifests"). Where only the latter fails, that is
 * told as a warning.
 */
export async function deleteReferrer(context: RepositoryContext, digest: Digest): Promise<void> {
  const manifest = await readIfPossible(context, digest)
  await deleteManifest(context, digest)
  if (manifest === undefined) return
  try {
    await changeTag(context, manifest, listed => {
      const left = listed.filter(other => other.digest !== digest)
      return left.length < listed.length ? left : listed
    })
  } catch (error) {
    if (!isDrayError(error)) throw error
    context.onEvent?.({
      type: 'warning',
      message: `${nameOf(context, digest)} is deleted, but still listed as a referrer: ${error.message}`,
    })
  }
}

/** What is wrong with it, or with the registry, is no reason not to delete it, or shows again. */
async function readIfPossible(context: RepositoryContext, digest: Digest): Promise<Manifest | undefined> {
  try {
    return await fetchManifest(context, digest)
  } catch (error) {
    if (isDrayError(error)) return undefined
    throw error
  }
}

/** `sha256-<hex>`, of which no more than 64 digits. */
function tagOf(subject: Digest): string {
  const [algorithm = '', hex = ''] = subject.split(':')
  return `${algorithm}-${hex.slice(0, 64)}`
}

/**
 * Changes a list until it is seen to be changed: few registries heed the conditions that are sent along, so that another
 * writer may undo a change. `change` gives its argument back when there is nothing to do.
 */
async function changeTag(
  context: RepositoryContext,
  manifest: Manifest,
  change: (listed: readonly Descriptor[]) => readonly Descriptor[],
): Promise<void> {
  const { policy, clock } = context
  const { subject } = manifest.content
  if (subject === undefined) return
  const tag = tagOf(subject.digest)
  await inTurn(context, tag, async () => {
    for (let writes = 0; writes <= policy.retries + 1; writes += 1) {
      // The first look after a write comes at once: mostly there is no other writer.
      const delayMs = writes < 2 ? undefined : retryDelayMs(writes - 2, policy, { random: clock.random() })
      if (delayMs !== undefined) await clock.sleep(delayMs)
      const present = await readTag(context, tag)
      const listed = present?.index.manifests ?? []
      const changed = change(listed)
      if (changed === listed) return
      if (writes <= policy.retries) await writeTag(context, tag, { ...present, manifests: changed })
    }
    throw new DrayError(
      'REGISTRY',
      `${nameOf(context, tag)}, the list of referrers, does not stay as it is written`,
      {
        hint: 'others write it at the same time; push again',
      },
    )
  })
}

interface TagState {
  readonly index: ImageIndex
  readonly etag: string | undefined
}

/** Artifactory answers 403 for what is absent. */
async function readTag(context: RepositoryContext, tag: string): Promise<TagState | undefined> {
  try {
    const { manifest, etag } = await fetchManifestState(context, tag)
    if (manifest.kind === 'index') return { index: manifest.content, etag }
  } catch (error) {
    if (isDrayError(error, 'NOT_FOUND') || (isDrayError(error) && error.status === 403)) return undefined
    throw error
  }
  throw new DrayError('INTEGRITY', `${nameOf(context, tag)} is an image, where a list of referrers should be`)
}

/** A condition that is not met (412) is no error: the list is then read again. */
async function writeTag(
  context: RepositoryContext,
  tag: string,
  { index, etag, manifests }: Partial<TagState> & { readonly manifests: readonly Descriptor[] },
): Promise<void> {
  const document = { ...index, schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
  const request = {
    ...repositoryRequest(context, 'PUT', `manifests/${tag}`),
    body: Buffer.from(JSON.stringify(document)),
  }
  const response = await context.send(
    withHeaders(request, {
      'content-type': mediaTypes.ociIndex,
      // A weak one never matches (RFC 9110, section 13.1.1).
      'if-match': etag?.startsWith('"') ? etag : undefined,
      'if-none-match': index === undefined ? '*' : undefined,
    }),
  )
  await expectStatus(response, [200, 201, 202, 412], `write ${nameOf(context, tag)}`)
  await response.discard()
}

/** Within this program writers of one tag wait for one another. */
async function inTurn(context: RepositoryContext, tag: string, job: () => Promise<void>): Promise<void> {
  const { turns } = context
  const key = nameOf(context, tag)
  const before = turns.get(key) ?? Promise.resolve()
  const mine = before.then(job, job)
  turns.set(key, mine)
  try {
    await mine
  } finally {
    if (turns.get(key) === mine) turns.delete(key)
  }
}

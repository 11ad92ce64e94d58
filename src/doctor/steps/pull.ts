import { repositoryScope } from '../../http/scope.ts'
import { collect, verified } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { childBlobs, childManifests } from '../../oci/manifest.ts'
import { expectStatus } from '../../registry/registry-error.ts'
import type { Repository } from '../../registry/repository.ts'
import type { Step } from '../examine.ts'
import { ok, skipped } from '../finding.ts'
import type { Meeting } from '../patient.ts'

/** Whether an image can be read: what the tag stands for, its manifest, and a blob with its bytes. */
export const pull: Step = {
  name: 'pull',
  purpose: 'pull',
  needs: ['token'],
  async examine(patient) {
    const meeting = await patient.meet()
    const image = await patient.findImage()
    if (image === undefined) return skipped('no repository was named')
    const { registry, place } = meeting
    const repository = registry.repository(place.repository ?? '')
    const { reference, descriptor } = image
    const blob = await smallestBlob(repository, descriptor)
    const host = blob === undefined ? null : await readBlob(meeting, repository, blob)
    const isElsewhere = host !== null && host !== meeting.url.host
    const words = `${reference === descriptor.digest ? '' : `${reference} stands for `}${descriptor.digest}`
    const from = isElsewhere ? `, blobs come from ${host}` : ''
    return ok(`${words}${from}`, {
      reference,
      digest: descriptor.digest,
      mediaType: descriptor.mediaType,
      blobHost: host,
    })
  },
}

/** Of an image, or of the first that an index lists. */
async function smallestBlob(repository: Repository, descriptor: Descriptor): Promise<Descriptor | undefined> {
  const manifest = await repository.getManifest(descriptor)
  const [child] = childManifests(manifest)
  const image = child === undefined ? manifest : await repository.getManifest(child)
  return [...childBlobs(image)].sort((a, b) => a.size - b.size)[0]
}

/** A blob that is no larger is read to its end, and verified. */
const maxReadBytes = 1024 * 1024

/** Reads a blob, and gives the host that it came from (distribution-spec v1.1 end-2). */
async function readBlob({ registry }: Meeting, repository: Repository, blob: Descriptor): Promise<string> {
  const { access } = await registry.provider()
  const name = `${repository.name}@${blob.digest}`
  const response = await access.send({
    method: 'GET',
    url: new URL(`v2/${repository.path}/blobs/${blob.digest}`, access.url),
    headers: { 'accept-encoding': 'identity' },
    scopes: [repositoryScope(repository.path, 'pull')],
  })
  await expectStatus(response, [200], `read ${name}`)
  if (blob.size > maxReadBytes) await response.discard()
  else await collect(verified(response.body, blob, name), maxReadBytes, name)
  return response.url.host
}

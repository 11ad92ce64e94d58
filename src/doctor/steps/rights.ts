import { DrayError } from '../../errors.ts'
import { repositoryScope } from '../../http/scope.ts'
import { digestOf } from '../../oci/digest.ts'
import { unknownProvider } from '../../registry/providers/known-providers.ts'
import { expectStatus, registryError } from '../../registry/registry-error.ts'
import { cancelUpload, uploadLocation } from '../../registry/upload-session.ts'
import type { Step } from '../examine.ts'
import { type Finding, ok, skipped } from '../finding.ts'
import type { Meeting, Patient, Purpose } from '../patient.ts'

/** Whether something may be written: an upload is opened and cancelled (distribution-spec v1.1 end-4a). */
export const push: Step = {
  name: 'push',
  purpose: 'push',
  needs: ['token'],
  examine: patient => unlessNobody(patient, 'push', tryPush),
}

/** Whether something may be deleted: the registry is asked to delete what there is not (distribution-spec v1.1 end-9). */
export const remove: Step = {
  name: 'delete',
  purpose: 'delete',
  needs: ['token'],
  examine: patient => unlessNobody(patient, 'delete', tryDelete),
}

/** Who is not logged in need not be told that he has no right, unless he wants it. */
async function unlessNobody(
  patient: Patient,
  purpose: Purpose,
  attempt: (meeting: Meeting, repository: string) => Promise<Finding>,
): Promise<Finding> {
  const meeting = await patient.meet()
  const { repository } = meeting.place
  if (repository === undefined) return skipped('no repository was named')
  const isNobody =
    (await patient.challenge()) !== undefined && (await patient.searchLogin()).found === undefined
  if (!isNobody) return attempt(meeting, repository)
  const message = `nobody is logged in, and ${patient.registry} wants a login`
  const hint = `log in with: dray login ${patient.registry}`
  if (patient.purpose !== purpose) return skipped(message, { hint })
  throw new DrayError('UNAUTHORIZED', message, { hint })
}

async function tryPush({ registry }: Meeting, repository: string): Promise<Finding> {
  const { access } = await registry.provider()
  const name = `${registry.name}/${repository}`
  const scopes = [repositoryScope(repository, 'pull,push')]
  const { send, url } = access
  const started = await send({ method: 'POST', url: new URL(`v2/${repository}/blobs/uploads/`, url), scopes })
  await expectStatus(started, [202], `push to ${name}`)
  await started.discard()
  await cancelUpload({ context: { send, scopes }, location: uploadLocation(started, name), name })
  return ok('allowed: an upload was opened and cancelled')
}

async function tryDelete({ registry }: Meeting, repository: string): Promise<Finding> {
  const { access, known } = await registry.provider()
  if (known.hasOwnImageDelete) {
    return skipped(
      `${known.name} deletes in a way of its own, whose rights show only when something is deleted`,
    )
  }
  const nothing = digestOf(crypto.randomUUID())
  const response = await access.send({
    method: 'DELETE',
    url: new URL(`v2/${repository}/manifests/${nothing}`, access.url),
    scopes: [],
  })
  const allowed = ok('allowed: the registry was asked to delete a digest that stands for nothing')
  if (response.status < 300) {
    await response.discard()
    return allowed
  }
  const error = await registryError(response, `delete from ${registry.name}/${repository}`)
  if (error.code === 'NOT_FOUND' && error.registryCode !== 'NAME_UNKNOWN') return allowed
  if (error.code !== 'UNSUPPORTED') throw error
  throw new DrayError('UNSUPPORTED', error.message, {
    hint: known.deleteHint ?? unknownProvider.deleteHint,
    cause: error,
    status: error.status,
  })
}

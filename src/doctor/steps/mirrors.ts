import { isDrayError } from '../../errors.ts'
import { defaultTag } from '../../oci/reference.ts'
import type { Step } from '../examine.ts'
import { ok, skipped, warning } from '../finding.ts'
import { type Meeting, type Mirror, type Patient, pingOf } from '../patient.ts'
import { connectionFault } from './connection.ts'

/** The short way through each mirror: its connection, its registry, the image. */
export const mirrors: Step = {
  name: 'mirrors',
  needs: ['configuration'],
  async examine(patient) {
    if (patient.purpose !== 'pull') return skipped('only what is pulled may come from a mirror')
    const { mirrors } = await patient.meet()
    if (mirrors.length === 0) return skipped('none is configured')
    const visits = await Promise.all(mirrors.map(mirror => visit(mirror, patient)))
    const words = visits.map(({ name, message }) => `${name} ${message}`).join('; ')
    const hints = visits.flatMap(({ hint }) => hint ?? [])
    const details = { mirrors: visits }
    if (visits.every(({ works }) => works)) return ok(words, details)
    return warning(`${words}; what a mirror does not give is read from the registry itself`, {
      hint: hints[0],
      details,
    })
  },
}

interface Visit {
  readonly name: string
  readonly works: boolean
  readonly message: string
  readonly hint: string | null
}

async function visit(mirror: Mirror, patient: Patient): Promise<Visit> {
  const { name } = mirror
  try {
    return { name, works: true, hint: null, ...(await seenAt(await mirror.open(), mirror, patient)) }
  } catch (error) {
    if (!isDrayError(error) || error.code === 'ABORTED') throw error
    if (error.code === 'NOT_FOUND') return { name, works: true, message: 'does not have it', hint: null }
    return { name, works: false, message: `fails: ${error.message}`, hint: error.hint ?? null }
  }
}

async function seenAt(
  { registry, url, connection, place }: Meeting,
  { isForDigests }: Mirror,
  { probe, now, image }: Patient,
): Promise<Pick<Visit, 'message'> & Partial<Visit>> {
  const fault = connectionFault(await probe(url, connection))
  if (fault !== undefined) throw fault
  const { status } = await pingOf(registry, now)
  const asked = isForDigests ? image?.descriptor.digest : (image?.reference ?? place.reference ?? defaultTag)
  if (asked === undefined || place.repository === undefined) return { message: `answers ${status}` }
  const { digest } = await registry.repository(place.repository).resolve(asked)
  if (image === undefined || digest === image.descriptor.digest) return { message: `has ${asked}` }
  const hint = 'a cache may keep what a tag stood for before; name the digest to get what is meant'
  return { works: false, message: `has another image as ${asked} (${digest})`, hint }
}

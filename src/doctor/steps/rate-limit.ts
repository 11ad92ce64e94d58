import { isDrayError } from '../../errors.ts'
import { readRateLimit } from '../../registry/read-rate-limit.ts'
import type { Step } from '../examine.ts'
import { type Finding, mild, ok, skipped, warning } from '../finding.ts'
import type { Patient } from '../patient.ts'

/** How much may still be asked of the registry. */
export const rateLimit: Step = {
  name: 'rate-limit',
  needs: ['token'],
  async examine(patient) {
    try {
      return await limitOf(patient)
    } catch (error) {
      if (!isDrayError(error) || error.code === 'ABORTED') throw error
      // Who may not ask is told of no limit; whether that is right, other steps tell.
      return error.code === 'UNAUTHORIZED' ? skipped(error.message) : mild(error)
    }
  },
}

async function limitOf(patient: Patient): Promise<Finding> {
  const { registry, place } = await patient.meet()
  const { repository } = place
  const reference = patient.image?.reference
  const image = repository === undefined || reference === undefined ? undefined : { repository, reference }
  const limit = await readRateLimit(registry, image)
  if (limit === undefined) return ok('unlimited: the registry tells of no limit', { limited: false })
  const { remaining, windowSeconds } = limit
  const window = windowSeconds === null ? '' : ` in ${windowSeconds} s`
  const known = [remaining, limit.limit].filter(number => number !== null).join(' of ')
  const words = `${known} requests${window} are ${remaining === null ? 'allowed' : 'left'}`
  const details = { limited: true, ...limit }
  if (remaining === null || remaining >= 1) return ok(words, details)
  return warning(words, {
    hint: 'wait until the limit starts anew, or log in as someone who has more',
    details,
  })
}
